"""search.yaml: which parameters a search tries, how a trial is judged, and when it ends.

What is wrong in it is told before the first trial, with its line; so is a value that params.yaml does not allow.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS, PARAMS
from darkroom.base.words import did_you_mean, listed
from darkroom.config import params
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, Seed
from darkroom.config.yaml_files import Section, check, keys, read_yaml
from darkroom.dataset.scores import SCORES

FILE = Path("search.yaml")
SECTIONS = ("model", "augment", "train")  # all else would change the images on which trials are compared
# They decide where and how fast a trial runs, or have a key of their own in search.yaml.
NOT_TRIED = {
    **dict.fromkeys(("device", "devices", "num_nodes", "strategy"), "says where a trial runs, which is one place"),
    **dict.fromkeys(("threads", "portable", "memory_share", "keep_epochs"), "says how a trial runs, not what it is"),
    "seed": "repeats the best trials: list its values under `seeds`",
    "monitor": "follows `metric`",
}
UNITS = {"s": 1, "min": 60, "h": 3600}


class Settings(Section):
    """search.yaml, but for the values to try, which `read` checks one by one."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
    metric: Literal["accuracy", "loss", "macro_f1", "balanced_accuracy", "auc", "kappa"]
    trials: Annotated[int, Field(ge=1, le=10_000)]
    time: Annotated[str, Field(pattern=r"^\d+ ?(s|min|h)$")] | None
    prune: bool
    best: Annotated[int, Field(ge=1, le=20)]
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=50)]
    storage: Annotated[str, Field(pattern=r"^[a-z0-9+]+://")] | None
    space: Annotated[dict[str, Any], Field(min_length=1)]

    @field_validator("metric", mode="before")
    @classmethod
    def _score(cls, metric: Any) -> Any:
        return metric.removeprefix("val_") if isinstance(metric, str) else metric  # the name of a monitor will do

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("must be different: an equal seed repeats nothing")
        return seeds

    @property
    def seconds(self) -> float | None:
        """`time` in seconds."""
        if self.time is None:
            return None
        number, unit = re.fullmatch(r"(\d+) ?(\D+)", self.time).groups()  # type: ignore[union-attr]
        return float(number) * UNITS[unit]

    @property
    def figure(self) -> str:
        """The metric as a training calls it, of val: val_accuracy."""
        return f"val_{self.metric}"

    @property
    def text(self) -> str:
        """The metric and the space: two searches with other ones are not mixed."""
        return f"{self.metric} {self.space!r}"

    @property
    def lower_is_better(self) -> bool:
        return SCORES[self.metric].lower_is_better


class Between(Section):
    """A number between two ends, both included; on a logarithmic scale, or in steps."""

    low: int | float
    high: int | float
    log: bool = False
    step: Annotated[int | float, Field(gt=0)] | None = None
    when: dict[str, Any] = Field(default_factory=dict)


class OneOf(Section):
    """One of several values."""

    choices: Annotated[list[Any], Field(min_length=1)]
    when: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A key of params.yaml with what is tried; `when` maps earlier keys of the space to the values that it needs."""

    name: str
    line: int
    tried: Between | OneOf
    whole: bool = False  # whether only whole numbers are allowed
    when: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def values(self) -> list[Any]:
        """The choices, or the ends."""
        return self.tried.choices if isinstance(self.tried, OneOf) else [self.tried.low, self.tried.high]


@dataclass(frozen=True)
class Search:
    """What search.yaml says, checked."""

    settings: Settings
    space: tuple[Key, ...]


def settings(path: Path = FILE) -> Settings:
    """Read search.yaml, but for its space. Raises UserError, one sentence with the line, for the first mistake."""
    lines = _lines(path)

    def name(key: str) -> str:
        return f"{path}{_at(lines.get((key.partition('.')[0],)))}: {key}"

    return check(Settings, read_yaml(path), name=name)


def read(content: Mapping[str, Any], entry: Entry, path: Path = FILE) -> Search:
    """Read search.yaml against `content`, that of params.yaml, and its data set's entry.

    Raises UserError, one sentence with the line, for the first mistake, and for a value that params.yaml does not
    allow beside any of the other values of the space.
    """
    known, lines = settings(path), _lines(path)
    space: list[Key] = []
    for key, tried in known.space.items():
        place = f"{path}{_at(lines.get(('space', key)))}"
        _check_name(place, key)
        space.append(_key(place, key, lines.get(("space", key), 0), tried, space))
    for one in space:
        _check_values(path, one, space, content, entry)
    return Search(known, tuple(_whole(one, content, entry) for one in space))


def set_value(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key of params.yaml."""
    section, _, last = key.rpartition(".")
    (content[section] if section else content)[last] = copy.deepcopy(value)


def _check_name(place: str, key: str) -> None:
    tried = [known for known in keys(Params) if known.partition(".")[0] in SECTIONS and "*" not in known]
    tried = [known for known in tried if known not in ("model", "train") and known.count(".") < 2]
    section, _, last = key.partition(".")
    if section == "train" and last in NOT_TRIED:
        raise UserError(f"{place}: {key} cannot be tried: it {NOT_TRIED[last]}")
    if key in tried:
        return
    if key in set(keys(Params)):
        raise UserError(f"{place}: {key} cannot be tried: a search tries keys of {listed(SECTIONS)}, on equal images")
    same = [known for known in tried if known.rpartition(".")[2] == key.rpartition(".")[2]]
    hint = f"did you mean {same[0]}?" if same else did_you_mean(key, tried, 8)
    raise UserError(f"{place}: {key} is not a key of {PARAMS}: {hint}")


def _key(place: str, key: str, line: int, tried: Any, before: Sequence[Key]) -> Key:
    """One key of the space. Raises UserError where its form is wrong."""
    written = {"choices": tried} if isinstance(tried, list) else tried
    if not isinstance(written, dict):
        raise UserError(f"{place}: {key} is {tried!r}, but must be a list of values, or low and high")
    form: type[Between | OneOf] = OneOf if "choices" in written else Between
    found: Between | OneOf = check(form, written, name=lambda part: f"{place}: {key}.{part}")
    if isinstance(found, Between):
        if not found.low < found.high:
            raise UserError(f"{place}: {key} has low {found.low} and high {found.high}: low must be below high")
        if found.log and (found.low <= 0 or found.step is not None):
            raise UserError(f"{place}: {key} has log, which needs low above 0 and no step")
    when = {other: value if isinstance(value, list) else [value] for other, value in found.when.items()}
    for other, values in when.items():
        known = next((one for one in before if one.name == other), None)
        if known is None or not isinstance(known.tried, OneOf):
            raise UserError(f"{place}: {key} depends on {other}, which must stand above it, with a list of values")
        if missing := [value for value in values if value not in known.tried.choices]:
            raise UserError(f"{place}: {key} depends on {other} being {missing[0]!r}, which is none of its values")
    return Key(key, line, found, when=when)


def _check_values(path: Path, key: Key, space: Sequence[Key], content: Mapping[str, Any], entry: Entry) -> None:
    """Raise UserError for a value that is allowed neither alone nor beside a value of one or two other keys."""
    place = Path(f"{path}{_at(key.line)}")
    for value in key.values:
        refused = None
        for others in _beside(key, space):
            try:
                _used({**others, key.name: value}, content, entry, place)
                break
            except UserError as error:
                refused = refused or error
        else:
            assert refused is not None
            raise refused


def _beside(key: Key, space: Sequence[Key]) -> Iterator[dict[str, Any]]:
    """Values of other keys beside which a value is checked: those that it depends on, then one more."""
    needed = {other: values[0] for other, values in key.when.items()}
    yield needed
    for other in space:
        if other.name != key.name and other.name not in needed:
            for value in other.values:
                yield {**needed, other.name: value}


def _used(values: Mapping[str, Any], content: Mapping[str, Any], entry: Entry, place: Path) -> Params:
    changed = copy.deepcopy(dict(content))
    for key, value in values.items():
        set_value(changed, key, value)
    return params.replaced(changed, entry, place, DATASETS)


def _whole(key: Key, content: Mapping[str, Any], entry: Entry) -> Key:
    """The key with `whole`: whether params.yaml refuses the fraction between the two ends."""
    if isinstance(key.tried, OneOf) or not all(isinstance(value, int) for value in key.values):
        return key
    try:
        _used({key.name: (key.tried.low + key.tried.high) / 2 + 0.25}, content, entry, FILE)
        whole = False
    except UserError:
        whole = True
    return Key(key.name, key.line, key.tried, whole, key.when)


def _at(line: int | None) -> str:
    return f", line {line}" if line else ""


def _lines(path: Path) -> dict[tuple[str, ...], int]:
    """The line, from 1, of each key at the top and of each key of the space."""
    read_yaml(path)  # it tells of a file that is missing, or no YAML
    top: Node | None = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8"))
    found: dict[tuple[str, ...], int] = {}
    for key, value in top.value if isinstance(top, MappingNode) else []:
        found[key.value,] = key.start_mark.line + 1
        if key.value == "space" and isinstance(value, MappingNode):
            found |= {("space", inner.value): inner.start_mark.line + 1 for inner, _ in value.value}
    return found
