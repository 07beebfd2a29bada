from darkroom.base import paths
from darkroom.config.stage_files import ModelFacts
from darkroom.report import summary
from tests import make, models
from tests.base.test_console import in_terminal
from tests.report.test_sections import FIGURES


def write(test=0.5, dataset="mine"):
    """What `evaluate` and `train` would leave of a network with this accuracy; the best simple method has 0.4."""
    reached = FIGURES.baselines.test_accuracy | {"network": test}
    figures = FIGURES.model_copy(update={
        "test": FIGURES.test.model_copy(update={"accuracy": test, "accuracy_low": 0.25, "accuracy_high": 0.75}),
        "baselines": FIGURES.baselines.model_copy(update={"test_accuracy": reached}),
    })  # fmt: skip
    figures.write(paths.EVALUATE)
    ModelFacts.model_validate(models.facts(dataset=dataset)).write(paths.MODEL)


def test_before_any_run_it_says_what_runs_the_pipeline(project):
    assert make.refusal(summary.in_words) == "nothing has been evaluated yet: `dvc repro` runs the pipeline"


def test_the_result_with_its_interval_where_to_look_and_what_next(project):
    write()
    first, look, following = summary.in_words().splitlines()
    images = FIGURES.test.images
    assert first.startswith(
        f"mine: 50.00% of {images:,} test images are classified right (95 % interval 25.00% to 75.00%), macro F1 "
    )
    assert str(paths.REPORT) in look
    assert "dvc exp run -S" in following


def test_a_network_worse_than_a_simple_method_is_not_praised(project):
    write(test=0.3)
    _, worse, _, following = summary.in_words().splitlines()
    assert worse == "the network (30.00% on test) is worse than random_forest (40.00%)"
    assert following.startswith("next: python -m darkroom check")


def test_a_terminal_that_lacks_letters_gets_the_summary_too(project):
    paths.GRAPH.touch()
    write(dataset="漢")
    answer = in_terminal("C", "-m", "darkroom", "summary")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(b"?: 50.00% of ")
