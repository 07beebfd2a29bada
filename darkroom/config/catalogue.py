"""The catalogue of data sets, `datasets.yaml`: what each one is and where it comes from."""

import itertools
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import did_you_mean
from darkroom.config.image_sizes import ImageSize, sides
from darkroom.config.patterns import Pattern, column_form
from darkroom.config.source_text import Address, Competition, HuggingFaceSet, KaggleSet
from darkroom.config.submissions import AnySubmission, Sample, Submission
from darkroom.config.yaml_files import Section, UsersPath, check, read_yaml

Subset = Literal["train", "val", "test", "unlabeled"]
SUBSETS: tuple[Subset, ...] = ("train", "val", "test", "unlabeled")
Resize = Literal["squash", "crop", "pad"]
Column = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0)]  # by name, or by number without a header
Columns = Annotated[list[Column], Field(min_length=1)]
ClassName = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
Level = Annotated[int, Field(ge=-65536, le=65535)]  # below zero in DICOM alone: Hounsfield units
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

SOURCES = ("bundled", "kaggle", "competition", "huggingface", "url", "path")


class PartOfColumn(Section):
    """A part of a column's values: `form: "{label} *"` takes the first word."""

    column: Column
    form: str

    @field_validator("form")
    @classmethod
    def _has_label(cls, form: str) -> str:
        column_form(form)
        return form


class LabelTable(Section):
    """A table inside the archive that says of each picture its label, and perhaps its group and its subset."""

    file: Annotated[str, Field(min_length=1)]
    image: Column | None = None  # names the picture: by path, file name or stem
    label: Column | PartOfColumn | Columns | None = None  # several columns: the one that is set
    group: Column | None = None
    split: Column | None = None
    splits: dict[Subset, list[str | int]] | None = None

    @model_validator(mode="after")
    def _columns(self) -> "LabelTable":
        if self.splits is not None and self.split is None:
            raise ValueError("splits says which values mean train, val and test, but no split names their column")
        part = self.label.column if isinstance(self.label, PartOfColumn) else None
        labels = self.label if isinstance(self.label, list) else [self.label if part is None else part]
        if len(set(labels)) < len(labels):
            raise ValueError("label names one column twice, but each of its columns stands for a class: leave one out")
        given = [
            one for one in (self.image, *labels, self.group, self.split) if not isinstance(one, PartOfColumn | None)
        ]
        if len({type(one) for one in given}) > 1:
            raise ValueError("columns are given by name or by number, not some by name and some by number")
        return self

    @property
    def has_header(self) -> bool:
        """Whether the first line of the table names its columns."""
        first = self.label[0] if isinstance(self.label, list) and self.label else self.label
        first = first.column if isinstance(first, PartOfColumn) else first
        return not any(isinstance(one, int) for one in (self.image, first, self.group, self.split))


class Entry(Section):
    """One data set."""

    title: str = ""
    license: str = ""

    bundled: Literal["digits"] | None = None
    kaggle: KaggleSet | None = None
    competition: Competition | None = None
    huggingface: HuggingFaceSet | None = None
    # Several archives become one that holds them, and an archive in an archive reads as a folder: the files of
    # train.zip are train/... for patterns and tables.
    url: Address | list[Address] | None = None
    path: UsersPath | list[UsersPath] | None = None
    sha256: Sha256 | None = None

    # Of each subset: a pattern, several, or @file, a list of names inside the archive.
    train: str | list[str]
    val: str | list[str] | None = None
    test: str | list[str] | None = None
    unlabeled: str | list[str] | None = None
    labels: str | LabelTable | list[str | LabelTable] | None = None
    classes: dict[str, ClassName | None] = Field(default_factory=dict)  # None drops a class, one name twice merges two
    min_images: Annotated[int, Field(ge=1)] = 1  # classes with fewer different images are left out

    channels: Literal[1, 3]
    image_size: ImageSize  # not `size`: DVC's run cache is blind to keys of that name
    resize: Resize = "squash"
    range: list[Level] | None = None  # lowest and highest of stored values of 16 bits; in DICOM, of rescaled ones
    submission: AnySubmission | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url", "path")
    @classmethod
    def _some(cls, given: str | list[str] | None) -> str | list[str] | None:
        if given == []:
            raise ValueError("an empty list names no archive: name one, or leave the key out")
        return given

    @model_validator(mode="after")
    def _one_source(self) -> "Entry":
        given = [source for source in SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of {', '.join(SOURCES)} must say where the archive comes from, "
                f"not {' and '.join(given) or 'none of them'}"
            )
        return self

    @field_validator("range")
    @classmethod
    def _ascending(cls, values: list[int] | None) -> list[int] | None:
        if values is not None and (len(values) != 2 or values[0] >= values[1]):
            raise ValueError(f"{values} must be [lowest, highest], as in [0, 4095] for 12 of 16 bits")
        return values

    @field_validator(*SUBSETS)
    @classmethod
    def _patterns(cls, given: str | list[str] | None) -> str | list[str] | None:
        for text in _list(given):
            if text.startswith("@"):
                if not text.strip("@/ "):
                    raise ValueError(f"{text!r} names no file: write @ and the path of a list inside the archive")
            else:
                Pattern(text)
        if given == []:
            raise ValueError("an empty list reaches nothing: name a folder, or leave the key out")
        return given

    @model_validator(mode="after")
    def _sides_differ(self) -> "Entry":
        for one, other in itertools.combinations(self.patterns, 2):
            # A table may tell labelled from unlabelled pictures in one folder.
            told_apart = self.labels is not None and "unlabeled" in (one, other)
            same = {str(pattern) for pattern in self.patterns[one]} & {str(pattern) for pattern in self.patterns[other]}
            if same and not told_apart and not (self.lists[one] or self.lists[other]):
                raise ValueError(
                    f"{one} and {other} both name {min(same)!r}, but an image belongs to one of them: leave one out"
                )
        return self

    @cached_property
    def patterns(self) -> dict[Subset, list[Pattern]]:
        """The patterns of each subset that the entry names, in their order."""
        given = {subset: _list(getattr(self, subset)) for subset in SUBSETS}
        return {
            subset: [Pattern(text) for text in texts if not text.startswith("@")]
            for subset, texts in given.items()
            if texts
        }

    @cached_property
    def lists(self) -> dict[Subset, list[str]]:
        """The lists of names inside the archive that decide a subset, by subset; empty where there are none."""
        return {
            subset: [text[1:] for text in _list(getattr(self, subset)) if text.startswith("@")]
            for subset in self.patterns
        }

    @cached_property
    def tables(self) -> list[LabelTable]:
        """The tables of labels, in their order."""
        given = self.labels if isinstance(self.labels, list) else [self.labels]
        return [LabelTable(file=one) if isinstance(one, str) else one for one in given if one is not None]

    @property
    def sample(self) -> Sample | None:
        """The sample in the archive whose form the table of predictions takes."""
        if isinstance(self.submission, str):
            return Sample(sample=self.submission)
        return self.submission if isinstance(self.submission, Sample) else None

    @property
    def two_columns(self) -> Submission | None:
        """The two columns of the table of predictions, where the entry names them."""
        return self.submission if isinstance(self.submission, Submission) else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one stored image."""
        return *sides(self.image_size), self.channels


def load(name: str, path: Path = DATASETS) -> Entry:
    """Read one entry of the catalogue and leave the others unchecked. Raises UserError if it is missing or wrong."""
    entries = read_yaml(path)
    if name not in entries:
        hint = did_you_mean(name, map(str, entries))
        raise UserError(f"params.yaml: dataset is {name!r}, which {path} does not list: {hint}")
    return checked(name, entries[name], path)


def checked(name: str, content: Any, path: Path = DATASETS) -> Entry:
    """The entry `name`, whose YAML is `content`. Raises UserError if it is wrong."""
    return check(Entry, content, name=lambda key: f"{path}: {name}{'.' if key else ''}{key}")


def _list(given: str | list[str] | None) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else given
