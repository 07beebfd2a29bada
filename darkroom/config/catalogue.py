"""The catalogue of data sets, `datasets.yaml`: what each one is and where it comes from."""

import difflib
import itertools
import re
import unicodedata
from fnmatch import translate
from pathlib import Path
from posixpath import normpath
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.config.yaml_files import Section, UsersPath, check, read_yaml

Subset = Literal["train", "test", "unlabeled"]
Side = Annotated[int, Field(ge=1, le=4096)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

SOURCES = ("bundled", "kaggle", "url", "path")


class Submission(Section):
    """The columns of the file that a competition wants: predictions for the unlabelled images."""

    id: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(min_length=1)]
    id_from: Literal["number", "name", "path"] = "name"

    @model_validator(mode="after")
    def _two_columns(self) -> "Submission":
        if self.id == self.label:
            raise ValueError(f"id and label are both {self.id!r}, but must name two columns")
        return self


class Entry(Section):
    """One data set."""

    title: str = ""
    license: str = ""

    bundled: Literal["digits"] | None = None
    kaggle: str | None = None
    url: str | None = None
    path: UsersPath | None = None
    sha256: Sha256 | None = None

    train: str
    test: str | None = None
    unlabeled: str | None = None

    channels: Literal[1, 3]
    image_size: Side | list[Side]  # not `size`: DVC's run cache is blind to keys of that name
    classes: dict[str, str] = Field(default_factory=dict)
    submission: Submission | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kaggle")
    @classmethod
    def _slug(cls, slug: str | None) -> str | None:
        if slug is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+(/\d+)?", slug):
            raise ValueError(f"{slug!r} must have the form owner/slug or owner/slug/version")
        return slug

    @field_validator("url")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/]+/.", url):
            raise ValueError(f"{url!r} must begin with http:// or https:// and name a file")
        urlsplit(url or "")  # raises ValueError, for instance for http://[/a.zip
        return url

    @field_validator("image_size")
    @classmethod
    def _two_sides(cls, size: int | list[int]) -> int | list[int]:
        if isinstance(size, list) and len(size) != 2:
            raise ValueError(f"{size} must be one number, or [height, width]")
        return size

    @model_validator(mode="after")
    def _one_source(self) -> "Entry":
        given = [source for source in SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of {', '.join(SOURCES)} must say where the archive comes from, "
                f"not {' and '.join(given) or 'none of them'}"
            )
        if len(set(self.classes.values())) < len(self.classes):
            raise ValueError("two labels under `classes` have the same name")
        for one, other in itertools.combinations(self.patterns.items(), 2):
            if one[1] == other[1]:
                raise ValueError(
                    f"{one[0]} and {other[0]} both name {one[1]!r}, but an image belongs to one of them: leave one out"
                )
        return self

    @property
    def patterns(self) -> dict[Subset, str]:
        """The folder or glob of each subset that the data set has."""
        given: dict[Subset, str | None] = {"train": self.train, "test": self.test, "unlabeled": self.unlabeled}
        return {subset: _plain(pattern) for subset, pattern in given.items() if pattern is not None}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one stored image."""
        height, width = self.image_size if isinstance(self.image_size, list) else (self.image_size, self.image_size)
        return height, width, self.channels


def load(name: str, path: Path = DATASETS) -> Entry:
    """Read one entry of the catalogue and leave the others unchecked. Raises UserError if it is missing or wrong."""
    entries = read_yaml(path)
    if name not in entries:
        near = difflib.get_close_matches(name, map(str, entries), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(map(str, entries))}"
        raise UserError(f"params.yaml: dataset is {name!r}, which {path} does not list: {hint}")
    return check(Entry, entries[name], name=lambda key: f"{path}: {name}{'.' if key else ''}{key}")


class Place(NamedTuple):
    """A file's subset, and the label that its folder gives it; None if it has none."""

    subset: Subset
    label: str | None


class Layout:
    """Which subset each file of an archive belongs to, and which label it has.

    A pattern is a folder, which covers all files below it, or a glob, in which `*` also matches `/`. A file's label is
    the name of its folder. Two systems may spell one name in two ways, so names are compared and kept in Unicode's
    composed form (NFC).
    """

    def __init__(self, entry: Entry) -> None:
        # The most specific pattern is tried first: with `train: .` and `test: test`, test/1.png is a test image.
        self._patterns = dict(sorted(entry.patterns.items(), key=lambda item: _breadth(item[1])))
        self._expressions = {subset: re.compile(_expression(p), re.DOTALL) for subset, p in self._patterns.items()}
        self._by_folder: dict[str, Place | None] | None = None if any(map(_is_glob, self._patterns.values())) else {}

    def place(self, path: str) -> Place | None:
        """The place of a file, by its path in the archive; None if the file is not part of the data.

        In a labelled subset, a file outside any class folder has the label None.
        """
        if self._by_folder is None:
            return self._place(path)
        folder = path[: path.rfind("/") + 1]
        try:
            return self._by_folder[folder]
        except KeyError:
            return self._by_folder.setdefault(folder, self._place(path))

    def _place(self, path: str) -> Place | None:
        path = _composed(path)
        for subset, expression in self._expressions.items():
            if expression.match(path):
                folder, _, _ = path.rpartition("/")
                in_class = folder not in ("", self._patterns[subset])
                if subset == "unlabeled" or not in_class:
                    return Place(subset, None)
                return Place(subset, folder.rpartition("/")[2])
        return None

    def may_hold(self, folder: str) -> bool:
        """Whether a file below `folder` can belong to a subset; if not, a nested archive need not be opened."""
        return any(_overlap(_composed(folder) + "/", pattern) for pattern in self._patterns.values())

    def __str__(self) -> str:
        return ", ".join(f"{subset}: {pattern}" for subset, pattern in self._patterns.items())


def _expression(pattern: str) -> str:
    if _is_glob(pattern):
        return translate(pattern)
    return re.escape(_folder(pattern)) + (r"/.*\Z" if _folder(pattern) else r".*\Z")


def _overlap(folder: str, pattern: str) -> bool:
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0] if _is_glob(pattern) else _folder(pattern) + "/"
    return fixed in ("", "/") or fixed.startswith(folder) or folder.startswith(fixed)


def _breadth(pattern: str) -> tuple[int, int]:
    """A sort key, smaller for the more specific pattern: the one with more folders, then the longer one."""
    folder = _folder(pattern)
    return -sum(bool(part) and not _is_glob(part) for part in folder.split("/")), -len(folder)


def _plain(pattern: str) -> str:
    """The one spelling of a folder: `train` for ./train/, `.` for an empty pattern."""
    return _composed(normpath(pattern.strip("/")))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folder(pattern: str) -> str:
    return "" if pattern == "." else pattern


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")
