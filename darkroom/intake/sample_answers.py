"""What a sample submission wants of each picture: a label, or the probabilities of all classes or of one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import counted, did_you_mean, listed
from darkroom.config.catalogue import Entry
from darkroom.config.patterns import composed
from darkroom.intake.sample_ids import Ids
from darkroom.intake.sample_text import SampleText, value
from darkroom.intake.table_columns import named

SHOWN = 5  # names in a message
RENAME = f"give the classes the sample's names with `classes:` in {DATASETS}"


class WhichClassError(UserError):
    """A sample wants one probability, and does not say of which class."""


@dataclass(frozen=True)
class Answers:
    """The columns to fill. With `spelled` it is one, of labels; else each takes the probability of its class."""

    columns: tuple[int, ...]
    classes: tuple[int, ...]  # the number of the class of each column, where probabilities are wanted
    spelled: tuple[str, ...]  # the label of each class, where one is wanted
    comma: bool  # probabilities have a decimal comma
    understood: str  # for people
    hint: str = ""  # what to write if another thing is meant


@dataclass(frozen=True)
class Names:
    """How the makers and the entry call the classes, in the order of their numbers."""

    classes: Sequence[str]
    labels: Sequence[Sequence[str]]  # the archive's labels of each class: several where `classes` merges some
    dropped: frozenset[str]

    @classmethod
    def of(cls, classes: Sequence[str], entry: Entry) -> "Names":
        """The names of these classes."""
        given = {composed(label): name and composed(name) for label, name in entry.classes.items()}
        labels = [[label for label, name in given.items() if name == one] or [one] for one in classes]
        return cls(classes, labels, frozenset(label for label, name in given.items() if name is None))

    def by_label(self) -> dict[str, int]:
        """The class of each label of the archive."""
        return {label: number for number, own in enumerate(self.labels) for label in own}

    def by_class(self) -> dict[str, int]:
        """The class of each name that the entry gives."""
        return {name: number for number, name in enumerate(self.classes)}

    def by_any_spelling(self) -> dict[str, int]:
        """The class of each label and name in small letters and digits alone, but for those that two classes share."""
        found: dict[str, set[int]] = {}
        for name, number in (*self.by_label().items(), *self.by_class().items()):
            found.setdefault(loose(name), set()).add(number)
        return {name: min(numbers) for name, numbers in found.items() if len(numbers) == 1 and name}


def find(text: SampleText, ids: Ids, names: Names, probability: str | int | None) -> Answers:
    """The columns that a sample leaves to fill. Raises UserError where they do not tell what they want."""
    first = next(text.rows())
    columns = [place for place in range(len(first.cells)) if place not in ids.columns]
    header = [value(first.cells[place]) for place in columns] if ids.has_header else None
    if not columns:
        raise UserError(f"{text.path} has no column beside the ids of the pictures: give another sample")
    if probability is not None:
        if len(columns) > 1:
            raise UserError(
                f"{DATASETS}: submission.probability asks for one probability, but {text.path} has "
                f"{len(columns)} columns beside the ids ({listed(map(named, header or ()), SHOWN)}): take it out"
            )
        return _one(text, ids, columns[0], _asked(str(probability), names), names)
    if len(columns) == 1:
        return _single(text, ids, columns[0], header[0] if header else "", names)
    if header is None:
        raise UserError(
            f"{text.path} has {len(columns)} columns beside the ids, and no header that says which class each is of: "
            "give a sample with one"
        )
    classes = _by_header(text.path, header, names)
    said = f"a probability for each of {len(classes)} classes"
    return Answers(tuple(columns), classes, (), _has_comma(text, ids, columns), said)


def loose(name: str) -> str:
    """A name in small letters and digits alone: `Sugar beet`, `sugar_beet` and `SugarBeet` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


# A single column: a label, or one probability.


def _single(text: SampleText, ids: Ids, column: int, header: str, names: Names) -> Answers:
    values = _different(text, ids, column, at_most=2 * len(names.classes) + 100)
    numbers = [_as_number(one) for one in values]
    is_numeric = bool(values) and None not in numbers
    asked = names.by_any_spelling().get(loose(header))
    if asked is not None and is_numeric:
        return _one(text, ids, column, asked, names)
    if not values or all(one in names.by_label() or one in names.dropped for one in values):
        return _labels(text.path, column, _makers(text.path, names, values), values, names)
    if all(one in names.by_class() for one in values):
        return _labels(text.path, column, tuple(names.classes), values, names)
    spellings = names.by_any_spelling()
    if all(loose(one) in spellings for one in values) and not is_numeric:
        shown = {spellings[loose(one)]: one for one in values}
        if len(shown) == len(names.classes):
            return _labels(text.path, column, tuple(shown[number] for number in sorted(shown)), values, names)
        number, spelled = next(iter(shown.items()))
        lacking = next(one for place, one in enumerate(names.classes) if place not in shown)
        raise UserError(
            f"{text.path} spells {named(spelled)} what is the class {named(names.classes[number])} here, and does not "
            f"show how it spells {named(lacking)}: {RENAME}"
        )
    if is_numeric:
        return _one(text, ids, column, _positive(text.path, values, names), names)
    unknown = next(one for one in values if one not in names.by_label())
    raise UserError(
        f"{text.path} has {named(unknown)} where a label is wanted, which is no class: known are "
        f"{listed(names.classes, SHOWN)}; {RENAME}, or leave `submission` out"
    )


def _different(text: SampleText, ids: Ids, column: int, at_most: int) -> list[str]:
    """The different values of a column but for empty ones, in order, so many at most."""
    found: dict[str, None] = {}
    for line in islice(text.rows(), int(ids.has_header), None):
        if one := value(line.cells[column]):
            found[one] = None
        if len(found) >= at_most:
            break
    return list(found)


def _as_number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _makers(path: str, names: Names, values: Sequence[str]) -> tuple[str, ...]:
    """The label of each class as the archive spells it. Raises UserError for a class of several that differ."""
    spelled = []
    for name, own in zip(names.classes, names.labels, strict=True):
        shown = [label for label in own if label in values]
        if len(own) > 1 and name not in own and len(shown) != 1:
            raise UserError(
                f"{path} wants the archive's own labels, but `classes` of {DATASETS} makes the one class {named(name)} "
                f"of {listed(map(named, own), SHOWN)}, and which of them is meant cannot be told: let them be classes "
                "of their own, or leave `submission` out"
            )
        spelled.append(own[0] if len(own) == 1 else name if name in own else shown[0])
    return tuple(spelled)


def _labels(path: str, column: int, spelled: tuple[str, ...], values: Sequence[str], names: Names) -> Answers:
    said, hint = "one label a picture", ""
    if list(spelled) != list(names.classes):
        said += f", written {listed(map(named, spelled), SHOWN)}"
    if not values:
        said += f"; its label column is empty, so that this is a guess: {listed(map(named, spelled), SHOWN)}"
    elif len(names.classes) == 2 and all(_as_number(one) is not None for one in values):
        hint = f"; if a probability is wanted, write submission: {{sample: {path}, probability: {spelled[1]}}}"
    return Answers((column,), (), spelled, False, said, hint)


def _one(text: SampleText, ids: Ids, column: int, number: int, names: Names) -> Answers:
    said = f"the probability of the class {names.classes[number]}"
    return Answers((column,), (number,), (), _has_comma(text, ids, [column]), said)


def _positive(path: str, values: Sequence[str], names: Names) -> int:
    """The class that labels 0 and 1 make the positive one. Raises UserError where nothing says so."""
    labels = names.by_label() | names.by_class()
    if len(names.classes) == 2 and {labels.get("0"), labels.get("1")} == {0, 1}:
        return labels["1"]
    known = listed(map(named, names.classes), SHOWN)
    if all(0 <= (_as_number(one) or 0) <= 1 for one in values):
        example = names.classes[-1]
        raise WhichClassError(
            f"{path} has {named(values[0])} in its one column beside the ids, which may stand for the probability of a "
            f"class ({known}), and it does not say of which: write submission: {{sample: {path}, probability: "
            f"{example}}}, or another class; if numbers stand for labels, {RENAME}"
        )
    raise UserError(f"{path} has {named(values[0])} where a label is wanted, which is no class ({known}): {RENAME}")


def _asked(probability: str, names: Names) -> int:
    number = (names.by_label() | names.by_class()).get(composed(probability))
    if number is None:
        hint = did_you_mean(probability, names.classes, SHOWN)
        raise UserError(f"{DATASETS}: submission.probability is {named(probability)}, which is no class: {hint}")
    return number


def _has_comma(text: SampleText, ids: Ids, columns: Iterable[int]) -> bool:
    """Whether numbers are written `0,5`; a column separated by commas cannot, unless in quotes."""
    line = next(islice(text.rows(), int(ids.has_header), None))
    return any("," in value(line.cells[column]) for column in columns)


# Several columns: a probability a class.


def _by_header(path: str, header: Sequence[str], names: Names) -> tuple[int, ...]:
    """The class of each column. Raises UserError for a column without a class, and for a class without a column."""
    tried = [(names.by_label(), header), (names.by_class(), header)]
    spellings, simple = names.by_any_spelling(), [loose(name) for name in header]
    tried += [(spellings, [one[cut:] for one in simple]) for cut in range(_common(simple) + 1)]
    best: list[int | None] = [None] * len(header)
    for known, texts in tried:
        found = [known.get(one) for one in texts]
        if None not in found and len(set(found)) == len(found) == len(names.classes):
            return tuple(one for one in found if one is not None)
        if sum(one is not None for one in found) > sum(one is not None for one in best):
            best = found
    raise UserError(_unequal(path, header, best, names))


def _common(texts: Sequence[str]) -> int:
    """The number of letters with which all texts begin: those of `prob_` in `prob_cat` and `prob_dog`."""
    shortest, longest = min(texts), max(texts)
    return next((at for at, letter in enumerate(shortest) if letter != longest[at]), len(shortest))


def _unequal(path: str, header: Sequence[str], found: Sequence[int | None], names: Names) -> str:
    """What makes columns and classes differ."""
    columns: Mapping[int, list[str]] = {number: [] for number in range(len(names.classes))}
    for name, number in zip(header, found, strict=True):
        if number is not None:
            columns[number].append(name)
    for number, own in columns.items():
        if len(own) > 1:
            return (
                f"{path} has {len(own)} columns for the one class {named(names.classes[number])} "
                f"({listed(map(named, own), SHOWN)}), and its probability cannot be divided among them: let them be "
                f"classes of their own in {DATASETS} (`classes`), or leave `submission` out"
            )
    without = [name for name, number in zip(header, found, strict=True) if number is None]
    missing = [names.classes[number] for number, own in columns.items() if not own]
    said = []
    if without:
        dropped = " (`classes` drops it)" if without[0] in names.dropped else ""
        said.append(
            f"{counted(len(without), 'column')} of no class that the model knows "
            f"({listed(map(named, without), SHOWN)}){dropped}"
        )
    if missing:
        said.append(f"no column for {counted(len(missing), 'class', 'classes')} ({listed(map(named, missing), SHOWN)})")
    return (
        f"{path} has {' and '.join(said)}, and a probability is wanted for each class: {RENAME}, or see `classes` and "
        "`min_images` there for those that are left out"
    )
