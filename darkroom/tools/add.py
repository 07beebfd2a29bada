"""`darkroom add SOURCE`: looks into an archive, says what it understood, asks what is open, and writes the entry."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from darkroom.base.console import done
from darkroom.base.errors import UserError, printable, without_password
from darkroom.base.paths import DATASETS, PARAMS, RAW
from darkroom.config.catalogue import SOURCES, checked
from darkroom.config.entry_files import EntrySource
from darkroom.config.entry_name import check_name, possible_name
from darkroom.config.params import Extract
from darkroom.config.source_text import source_of
from darkroom.config.yaml_files import check, read_yaml
from darkroom.intake import path_source
from darkroom.intake.archive import ENDINGS, Limits, is_archive
from darkroom.intake.fetching import keep
from darkroom.tools import catalogue_file, draft_answers, entry_text, recipe_rules
from darkroom.tools.draft_answers import Ask
from darkroom.tools.draft_entry import draft
from darkroom.tools.entry_draft import Draft
from darkroom.tools.run_cost import cost
from darkroom.tools.survey_archive import survey

LINES_SHOWN = 40  # of an entry; one that renames 1,000 classes has more


def run(text: str, folder: Path, name: str | None, answers: Mapping[str, str], ask: Ask) -> None:
    """Add an entry for the source that a user typed in `folder`.

    `answers` has the words of --choose, by question, and `ask` answers what they leave open. Prints what was
    understood, what a run will cost, and the entry. Raises UserError, and writes nothing, where there is a problem.
    """
    # 1. What is asked for, and whether the catalogue has it.
    known = catalogue_file.entries()
    key, place = source_of(text, folder)
    if key == "huggingface":
        from darkroom.intake.huggingface_source import pinned

        place = pinned(place)
    called = _name(name, place)
    if name is None and (same := next((one for one in known if _is_from(known[one], key, place)), None)):
        done(f"{DATASETS} has this source already, as {same}: nothing changed; --name adds a second one", _next(same))
        return
    if called in known and not _is_from(known[called], key, place):
        raise UserError(f"{DATASETS} has an entry {called} of another source: choose another name with --name")
    # 2. What its archive holds.
    with _archive(key, place) as archive:
        found = draft_answers.answered(_drafting(archive), answers, ask)
    title = printable(re.sub("[-_ ]+", " ", _own_name(place))).strip()
    found = recipe_rules.with_recipe(found)
    entry = {key: place} | ({"title": title} if title not in ("", called) else {}) | found.entry
    written = entry_text.text(called, entry, {one.key: one.because for one in found.evidence})
    model = checked(called, entry)
    if called in known:
        if checked(called, known[called]) != model:
            raise UserError(f"{DATASETS} has an entry {called} of other content: choose another name with --name")
        done(f"{DATASETS} has this entry already, as {called}: nothing changed", _next(called))
        return
    # 3. Show it, and write it.
    draft_answers.show(found)
    print("", *cost(found, called, model), "", *_head(written), "", sep="\n")
    catalogue_file.append(called, written, entry)
    done(f"wrote the entry {called} to {DATASETS}", _next(called))


def _next(name: str) -> str:
    return f"dvc exp run -S dataset={name}"


def _head(written: str) -> list[str]:
    """The lines of an entry to show, without passwords."""
    lines = without_password(written).splitlines()
    more = [f"  … {len(lines) - LINES_SHOWN:,} more lines"] if len(lines) > LINES_SHOWN else []
    return lines[:LINES_SHOWN] + more


def _name(given: str | None, place: str) -> str:
    """The name of the entry: the given one, or that of the source, made possible."""
    if given is not None:
        check_name(given)
    return given or possible_name(_own_name(place))


def _own_name(place: str) -> str:
    """What the makers of a source call it: `cats` of /a/cats.zip, of owner/cats, owner/cats/3 or owner/cats@commit."""
    if "://" in place:
        return _stem(PurePosixPath(unquote(urlsplit(place).path)).name)
    if Path(place).is_absolute():
        return Path(place).name if Path(place).is_dir() else _stem(Path(place).name)
    owner, _, name = place.partition("/")
    return re.split("[/@]", name)[0] or owner  # a competition has no owner


def _stem(name: str) -> str:
    return ENDINGS.sub("", name) if ENDINGS.search(name) else PurePosixPath(name).stem


def _is_from(entry: object, key: str, place: str) -> bool:
    """Whether an entry, as its YAML has it, is from this source."""
    if not isinstance(entry, dict) or [one for one in SOURCES if one in entry] != [key]:
        return False
    known = entry[key]
    if key == "path" and isinstance(known, str):
        with suppress(OSError, RuntimeError, ValueError):  # a home or a name that cannot be
            return Path(known).expanduser().resolve() == Path(place).resolve()
    return bool(known == place)


@contextmanager
def _archive(key: str, place: str) -> Iterator[Path]:
    """The archive or folder: itself where it lies on this machine, else the one that is brought here.

    A file that is no archive, but holds pictures, is looked into as the archive that the stage fetch makes of it.
    """
    if key != "path":
        yield keep(EntrySource(source=key, place=place, sha256=None))
        return
    path = path_source.outside(Path(place), RAW)
    if path.is_dir() or is_archive(path.name):
        yield path
        return
    with TemporaryDirectory() as folder:
        yield path_source.from_path(path, Path(folder))


def _drafting(archive: Path) -> Callable[[Mapping[str, str]], Draft]:
    """A function from answers to the draft of an entry for this archive, which is looked through once."""
    settings = check(Extract, read_yaml(PARAMS).get("extract"), name=lambda key: f"{PARAMS}: extract.{key}")
    seen = survey(archive, Limits(settings.max_members, settings.max_bytes))
    return lambda chosen: draft(seen, dict(chosen))
