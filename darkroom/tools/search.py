"""`darkroom search`: try parameters over many short trainings, and tell which are best."""

from functools import partial
from pathlib import Path

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.config import params
from darkroom.config.params import Params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import search_best, search_file, search_page, search_study, search_trials
from darkroom.tools.search_file import Search
from darkroom.tools.search_folder import Folder, check_committed
from darkroom.tools.search_process import Warm
from darkroom.tracking import at_work, run_facts, trials


def run(storage: str | None) -> None:
    """Run trials until none is left, then train the best again, and write the page. Begun work goes on."""
    # 1. What is wrong in search.yaml is told before the search begins; a begun one keeps its code and parameters.
    settings = search_file.settings()
    study, claims = search_study.open_study(search_study.address(settings, storage), settings)
    commit, text = study.user_attrs.get(search_study.COMMIT), ""
    if commit is None:
        _read(Path())
        commit, text = check_committed(), paths.PARAMS.read_text(encoding="utf-8")
    new = search_study.begin(study, claims, settings, commit, text)
    commit, text = (study.user_attrs[key] for key in (search_study.COMMIT, search_study.PARAMS))
    # 2. A folder at the search's commit, with its data.
    folder = Folder(commit, text)
    try:
        folder.prepare()
        search, base = _read(folder.root)
        facts = search_study.facts_of(settings, base, study.user_attrs)
        parent = trials.begin(base, settings.name, study.user_attrs[search_study.IDENTITY], facts)
        mark = at_work.begin(parent) if parent else None
        environment = {"DVC_ROOT": str(paths.root()), "DVC_EXP_BASELINE_REV": commit}
        warm = Warm(folder.root, folder.log, environment | ({run_facts.SEARCH_RUN: parent} if parent else {}))
        work = search_trials.Work(search, base, study, claims, folder, warm)
        try:
            folder.make_data(partial(search_trials.run_stage, work, environment={}))
            print(_understood(work, new), flush=True)
            search_trials.run_all(work)
            _end(work, parent)
            at_work.end(mark)  # else its run counts as cut off, until the same command goes on
        finally:
            warm.close()
    finally:
        folder.release()


def _read(root: Path) -> tuple[Search, Params]:
    """search.yaml, and params.yaml of the project at `root`, which it was checked against."""
    base, entry = params.load(root / paths.PARAMS, root / paths.DATASETS)
    if base.train.devices * base.train.num_nodes > 1:
        raise UserError("params.yaml: a trial is trained by one process: set train.devices and train.num_nodes to 1")
    return search_file.read(read_yaml(root / paths.PARAMS), entry), base


def _understood(work: search_trials.Work, new: bool) -> str:
    settings, commit = work.search.settings, work.study.user_attrs[search_study.COMMIT]
    begun = "begins" if new else "goes on"
    rule = f"{'lowest' if settings.lower_is_better else 'highest'} {settings.figure}"
    return (
        f"search {settings.name} of {work.params.dataset} {begun} at commit {commit[:7]}: "
        f"{counted(settings.trials, 'trial')} of {counted(len(work.search.space), 'key')}, {rule}"
    )


def _end(work: search_trials.Work, parent: str | None) -> None:
    """Train the best again over the seeds, and write the page, by one process alone."""
    settings = work.search.settings
    if not work.claims.take("the end"):
        print(f"another process trains the best of {settings.name} again, and writes the page")
        return
    chosen = search_study.best(work.study, settings.best)
    if not chosen:
        raise UserError(f"no trial of {settings.name} has reached its end: {work.folder.log} says what went wrong")
    names: list[str] = []
    for trial in chosen:
        for seed in settings.seeds:
            name = f"{search_trials.name_of(work, trial.number)}-seed-{seed}"
            if not work.folder.revision(name):
                print(f"{name} begins: the best again, up to evaluate", flush=True)
                values = search_trials.with_monitor(work, trial.user_attrs[search_study.VALUES]) | {"train.seed": seed}
                work.folder.begin(values, of=search_trials.name_of(work, trial.number))
                work.folder.reproduce(
                    "evaluate", partial(search_trials.run_stage, work, environment={"DVC_EXP_NAME": name})
                )
                work.folder.save(name)
            names.append(name)
    result = search_best.compare(names, settings, work.study.user_attrs[search_study.COMMIT])
    page = search_page.write(Path("search") / settings.name, work.study, settings, result)
    trials.end(parent, search_best.figures(work.study, result), [page, page.with_name("trials.csv")])
    print(search_best.in_words(result))
    print(f"wrote {page}\nnext: dvc exp apply {result.winner} && dvc repro", flush=True)
