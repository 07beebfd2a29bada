"""The tables of an archive: which column names its pictures, and what the others may say of them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

import pyarrow.compute as pc

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Subset
from darkroom.intake import label_values, matlab_vector, tables
from darkroom.intake.column_guess import guess_columns
from darkroom.intake.labelling import Columns, Labels
from darkroom.intake.table_columns import Key, Table
from darkroom.tools.subset_folders import subset_in, words

PROBE = 20_000  # pictures by whose names the columns of a table are found
PIXELS = re.compile(r"(pixel|px)[ _]?\d+(x\d+)?|\d+x\d+", re.IGNORECASE)  # names of columns of a CSV of pixels
Kind = Literal["nothing", "unique", "fractions", "numbers", "words"]

LABEL = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "targets", "diagnosis", "diagnostic",
     "dx", "breed", "species", "y", "truth", "emotion", "disease", "kind", "classname", "labelname", "variety",
     "expression", "classid", "labelid", "character", "letter", "digit"}
)  # fmt: skip
BESIDE_LABEL = frozenset(
    {"name", "names", "id", "idx", "index", "num", "number", "code", "image", "text", "the", "str"}
)
GROUP = frozenset(
    {"patient", "subject", "lesion", "driver", "person", "object", "case", "individual", "participant", "animal",
     "volunteer", "study", "user", "session", "video", "clip", "sequence", "seq", "slide", "specimen", "donor", "exam",
     "owner", "identity", "patientid", "subjectid", "personid", "lesionid", "caseid", "studyid", "group", "scene"}
)  # fmt: skip
BESIDE_GROUP = frozenset({"id", "ids", "no", "num", "number", "code", "uid", "key", "index", "nr", "name", "instance"})
# Words of columns that tell of a picture something else than its class.
OTHER = frozenset(
    {"age", "sex", "gender", "width", "height", "xmin", "xmax", "ymin", "ymax", "x", "x1", "x2", "y1", "y2", "size",
     "date", "time", "year", "month", "day", "localization", "location", "url", "author", "license", "rights", "source",
     "camera", "quality", "lat", "lon", "latitude", "longitude", "area", "bbox", "view", "position", "fold", "folds",
     "approx", "histo", "type", "method", "weight", "resolution", "format", "channels", "bytes", "md5", "hash",
     "male", "female", "race", "ethnicity", "laterality", "partition", "split"}
)  # fmt: skip
SAMPLE = re.compile(r"(sample.*sub|submission|sub.*sample|benchmark)", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column: what its values are."""

    key: Key
    kind: Kind
    different: int

    @cached_property
    def words(self) -> list[str]:
        return words(self.key) if isinstance(self.key, str) else []

    @property
    def says_label(self) -> bool:
        own = set(self.words)
        return bool(own & LABEL) and own <= LABEL | BESIDE_LABEL

    @property
    def says_group(self) -> bool:
        own = set(self.words)
        return bool(own & GROUP) and own <= GROUP | BESIDE_GROUP

    @property
    def says_other(self) -> bool:
        return bool(set(self.words) & OTHER)


@dataclass(frozen=True)
class NamingTable:
    """A table of which one column names pictures."""

    file: str  # as an entry names it: with the part of a .mat file
    table: Table
    image: Key
    columns: tuple[Column, ...]  # the others

    @cached_property
    def finder(self) -> Labels:
        """Finds the rows of pictures."""
        return Labels(self.table, Columns(image=self.image))

    @property
    def is_sample(self) -> bool:
        """Whether it is the sample of a submission, whose labels are none."""
        return SAMPLE.search(PurePosixPath(self.table.path).stem) is not None

    @cached_property
    def subset(self) -> Subset | None:
        """The subset that the file's name says: train for trainLabels.csv and trainval.txt, test for test.csv."""
        name = self.file.partition("#")[2] or PurePosixPath(self.table.path).stem
        subset, _ = subset_in(name)
        return "train" if subset is None and {"train", "val"} <= set(words(name)) else subset

    def values(self, key: Key) -> label_values.Values:
        return label_values.of_column(self.table.column(key))

    def rows(self, paths: Sequence[str]) -> list[int]:
        """The row of each picture, -1 where the table does not name it."""
        return [-1 if (found := self.finder.find(path)) is None else found.row for path in paths]


def naming_tables(content: dict[str, bytes], pictures: Sequence[str]) -> tuple[list[NamingTable], dict[str, str]]:
    """The tables that name pictures, and why each other one does not serve. `pictures` are paths, some of many."""
    found, others = [], {}
    for path, data in content.items():
        reason = "it names no pictures"
        for file, part in _parts(path, data):
            try:
                found.append(_naming(file, part, path, data, pictures))
                reason = ""
            except UserError as error:
                reason = reason and str(error)
        if reason:
            others[path] = reason
    return found, others


def _parts(path: str, data: bytes) -> Iterator[tuple[str, str | None]]:
    """How an entry names a table: a .mat file by each of its vectors."""
    if not path.lower().endswith(".mat"):
        yield path, None
        return
    for name in matlab_vector.vectors(data):
        yield f"{path}#{name}", name


def _naming(file: str, part: str | None, path: str, data: bytes, pictures: Sequence[str]) -> NamingTable:
    headers: tuple[bool, ...] = (False, True) if path.lower().endswith(".txt") else (True, False)
    if not path.lower().endswith((".txt", ".csv", ".tsv")):
        headers = headers[:1]
    if _is_of_pixels(path, data):
        raise UserError(f"{path} is a table of pixels")
    problem: UserError | None = None
    for header in headers:
        try:
            table = tables.read(data, path, header=header, part=part)
            image = _image(table, part, pictures)
            break
        except UserError as error:
            problem = problem or error  # of the likelier reading
            if header == headers[-1]:
                raise problem from None
    if image is None:
        raise UserError(f"{path} names no pictures")
    rest = tuple(_column(table, key) for key in table.columns if key != image)
    return NamingTable(file, table, image, rest)


def _is_of_pixels(path: str, data: bytes) -> bool:
    names = data[: data.find(b"\n", 0, 1 << 20)].decode(errors="replace").replace('"', "").split(",")
    return path.lower().endswith(".csv") and 2 * sum(PIXELS.fullmatch(one.strip()) is not None for one in names) > len(
        names
    )


def _image(table: Table, part: str | None, pictures: Sequence[str]) -> Key | None:
    if table.numbered:  # the label of picture 1, 2 ...; or a list of pictures by their numbers
        return "label" if part is not None and subset_in(part)[0] is not None else "image"
    found = guess_columns(table, pictures, label=False)
    return found.image


def _column(table: Table, key: Key) -> Column:
    column = table.column(key)
    different = pc.count_distinct(column, mode="only_valid").as_py()
    if different < 2:
        return Column(key, "nothing", different)
    values = pc.drop_null(column.unique()).to_pylist()
    numbers = all(label_values.NUMBER.fullmatch(value) for value in values)
    if numbers and label_values.are_fractions(values):
        return Column(key, "fractions", different)
    if 2 * different > len(table) - column.null_count:
        return Column(key, "unique", different)
    return Column(key, "numbers" if numbers else "words", different)


def split_column(table: NamingTable) -> tuple[Key, dict[Subset, list[str]], bool] | None:
    """A column that says train, val or test, what its words mean, and whether these are the usual ones."""
    for column in table.columns:
        values = table.values(column.key)
        names = [name for name in dict.fromkeys(values) if name is not None]
        if not 2 <= len(names) <= 6:
            continue
        meaning: dict[Subset, list[str]] = {}
        said = [(name, _meant(name, column, names)) for name in sorted(names)]
        for name, subset in said:
            if subset is not None:
                meaning.setdefault(subset, []).append(name)
        if len(meaning) > 1 and "train" in meaning and all(subset for _, subset in said):
            usual = all(name.lower() in label_values.USUAL for name in names)
            return column.key, meaning, usual
    return None


def _meant(value: str, column: Column, values: Sequence[str]) -> Subset | None:
    subset, rest = subset_in(value)
    if subset == "test" and rest == ("public",) and any(subset_in(one)[1] == ("private",) for one in values):
        return "val"
    if subset is not None and not set(rest) - {"private", "public"}:
        return subset
    # is_train: 1 or 0
    own, others = subset_in(str(column.key))
    if own is not None and not set(others) - {"is", "in"} and set(values) <= {"0", "1"}:
        return own if value == "1" else ("test" if own == "train" else "train")
    return None


def same(one: Sequence[str | None], other: Sequence[str | None]) -> bool:
    """Whether two ways to label pictures tell the same pictures apart."""
    pairs = {pair for pair in zip(one, other, strict=True) if None not in pair}
    return bool(pairs) and len(pairs) == len({first for first, _ in pairs}) == len({last for _, last in pairs})


def finer(one: Sequence[str | None], other: Sequence[str | None]) -> bool:
    """Whether each value of `one` stands with a single value of `other`."""
    pairs = {pair for pair in zip(one, other, strict=True) if None not in pair}
    return bool(pairs) and len(pairs) == len({first for first, _ in pairs})


def counts(values: Sequence[str | None]) -> Counter[str]:
    return Counter(value for value in values if value is not None)
