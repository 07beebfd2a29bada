"""What people decide about single pictures: keep the label, give another one, drop the picture.

Another label, or none, is a correction: a line of data/corrections.csv, which the stage `extract` honours. Who decided
what, and when, stands in data/reviewed.csv, which no stage reads. Several people may decide at once: each decision is
made on the newest files, under a lock, and one that contradicts what its maker has not seen is refused.
"""

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import replacing
from darkroom.config.patterns import composed
from darkroom.intake import corrections

Kind = Literal["keep", "relabel", "drop"]
REVIEWED = paths.CORRECTIONS.with_name("reviewed.csv")
COLUMNS = ("dataset", "path", "decision", "label", "who", "when")
LOCK = Path(".dvc/tmp/review.lock")
Record = tuple[list[str], str]  # the fields of a line, and the line as it stands in the file


@dataclass(frozen=True)
class Decision:
    """What was decided about one picture; `who` and `when` (UTC) are empty where a correction was written by hand."""

    kind: Kind
    label: str  # that was kept, or that it gets; empty where the picture is dropped
    who: str = ""
    when: str = ""

    def says_as(self, other: "Decision | None") -> bool:
        """Whether both say the same of a picture."""
        return other is not None and (self.kind, self.label) == (other.kind, other.label)

    def comes_to(self, other: "Decision | None") -> bool:
        """Whether the picture has the same label after both."""
        is_drop = self.kind == "drop", other is not None and other.kind == "drop"
        return other is not None and self.label == other.label and is_drop[0] == is_drop[1]


class Conflict(Exception):
    """Somebody else has decided about the picture in the meantime; `now` is what holds."""

    def __init__(self, now: Decision | None) -> None:
        super().__init__("decided otherwise in the meantime")
        self.now = now


def check(dataset: str) -> None:
    """Raise UserError, with the line's number, where one of the two files cannot be read as it is meant."""
    corrections.read(paths.CORRECTIONS, dataset)
    read(dataset)


def read(dataset: str) -> dict[str, Decision]:
    """What holds for each picture of a data set, by the composed form of its path.

    A correction that is taken out of data/corrections.csv by hand holds no more, whatever data/reviewed.csv says.
    """
    noted: dict[str, Decision] = {}
    for fields, _ in _records(REVIEWED):
        name, path, kind, *rest = (*fields, *[""] * len(COLUMNS))[: len(COLUMNS)]
        if name == dataset and kind in ("keep", *corrections.ACTIONS):
            noted[composed(path)] = Decision(kind, *rest)  # type: ignore[arg-type]
    found = {path: decision for path, decision in noted.items() if decision.kind == "keep"}
    for path, by_hand in corrected((fields for fields, _ in _records(paths.CORRECTIONS)), dataset).items():
        written = noted.get(path)
        found[path] = written if written and by_hand.says_as(written) else by_hand
    return found


def corrected(lines: Iterable[list[str]], dataset: str) -> dict[str, Decision]:
    """What the lines of a table of corrections say of a data set's pictures, by the composed form of the path.

    A line that is no correction is passed over.
    """
    found: dict[str, Decision] = {}
    for fields in lines:
        name, path, action, label = (*fields, "", "", "", "")[: len(corrections.COLUMNS)]
        if name.strip() == dataset and (kind := action.strip()) in corrections.ACTIONS:
            found[composed(path)] = Decision(kind, label.strip() if kind == "relabel" else "")  # type: ignore[arg-type]
    return found


def holding(known: dict[str, Decision], path: str, label: str) -> Decision | None:
    """What holds for the picture at `path`, which has this label at present: one that was kept must still be there."""
    found = known.get(composed(path))
    return None if found is not None and found.kind == "keep" and found.label != label else found


def decide(dataset: str, picture: tuple[str, str], wanted: Decision | None, seen: Decision | None) -> Decision | None:
    """Write a decision about a picture (path and present label), or take it back (None); return what holds then.

    `seen` is what held when its maker looked. Raises Conflict, and writes nothing, where something else holds by now,
    unless that comes to the same: to keep the label that an earlier correction gave leaves that correction alone.
    """
    path, label = picture
    with _only_one():
        now = holding(read(dataset), path, label)
        if now is None if wanted is None else wanted.comes_to(now):
            return now
        if seen is not None if now is None else not now.says_as(seen):
            raise Conflict(now)
        line = noted = None
        if wanted is not None:
            noted = [dataset, path, wanted.kind, wanted.label, wanted.who, wanted.when]
            line = [dataset, path, wanted.kind, wanted.label] if wanted.kind != "keep" else None
        # First who and when: without its correction such a line means nothing, if the process ends between the two.
        _replace(REVIEWED, COLUMNS, (dataset, path), noted)
        _replace(paths.CORRECTIONS, corrections.COLUMNS, (dataset, path), line)
        return wanted


def made(kind: Kind, label: str, who: str) -> Decision:
    """A decision that is made now."""
    return Decision(kind, label, who, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def state() -> list[Any]:
    """Changes whenever one of the two files has changed."""
    files = [file.stat() if file.exists() else None for file in (paths.CORRECTIONS, REVIEWED)]
    return [file and [file.st_mtime_ns, file.st_size, file.st_ino] for file in files]


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock until the block ends: threads and processes wait for one another."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(LOCK):
        yield


def _records(file: Path) -> list[Record]:
    """The lines below the head, none where there is no file. Raises UserError for what is no such table."""
    try:
        return _split(_text(file))[1:]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is not a table in UTF-8 ({error}): {corrections.REMEDY}") from None


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8-sig") if file.exists() else ""


def _split(text: str) -> list[Record]:
    """The records of a table; a quoted field may hold line ends, so that a record takes several lines."""
    lines = list(io.StringIO(text, newline=""))
    reader, start, found = csv.reader(lines, strict=True), 0, []
    for fields in reader:
        found.append((fields, "".join(lines[start : reader.line_num])))
        start = reader.line_num
    return found


def _replace(file: Path, columns: tuple[str, ...], about: tuple[str, str], line: list[str] | None) -> None:
    """Put `line` in place of what the file says about a picture, else at its end; None takes that out alone.

    All other lines stay as they are, byte for byte.
    """
    text = _text(file)
    known = _split(text)
    if not known and line is None:
        return
    end = "\r\n" if known and known[0][1].endswith("\r\n") else "\n"
    new = [] if line is None else [_as_text(line, end)]
    parts = [written for _, written in known[:1]] or [_as_text(list(columns), end)]
    for fields, written in known[1:]:
        if len(fields) > 1 and (fields[0].strip(), composed(fields[1])) == (about[0], composed(about[1])):
            parts += new
            new = []
        else:
            parts.append(written)
    if new and not parts[-1].endswith(("\n", "\r")):
        parts[-1] += end
    changed = "".join([*parts, *new])
    if changed != text:
        mark = BOM_UTF8 if file.exists() and file.read_bytes().startswith(BOM_UTF8) else b""
        with replacing(file) as partial:
            partial.write_bytes(mark + changed.encode())


def _as_text(fields: list[str], end: str) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end).writerow(fields)
    return written.getvalue()
