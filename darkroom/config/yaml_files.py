"""YAML files checked against pydantic models: a mistake becomes one sentence that names the key and the remedy."""

import copy
import difflib
import functools
import io
import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode

from darkroom.base.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def _has_home(path: str) -> str:
    try:
        Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{path!r} begins with the home of a user who is not known here: give the whole path"
        ) from None
    return path


UsersPath = Annotated[str, Field(min_length=1), AfterValidator(_has_home)]  # may begin with ~


class Section(BaseModel):
    """A group of settings: unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class _Composer(Composer):
    """Refuses a key that is given twice, even beside a merge key, and a key that is a list or a mapping."""

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise ConstructorError(None, None, "a key must be a word or a number", key.start_mark)
            if (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} stands here a second time", key.start_mark)
            seen.add((key.tag, key.value))
        return node


class _Constructor(SafeConstructor):
    """Refuses text with half of a surrogate pair, which UTF-8 cannot encode."""

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if re.search("[\ud800-\udfff]", value):
            raise ConstructorError(
                None, None, "half of a character stands here, which no file can hold", node.start_mark
            )
        return value


def _yaml() -> YAML:
    """A reader and writer of YAML 1.2 as DVC has it: plain values alone, whatever their tags.

    `pure`, for the parser in C has other error messages and cannot refuse a key that is given twice.
    """
    return YAML(typ="safe", pure=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file, as DVC does; its top level is a mapping. Raises UserError, one sentence with the place."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"there is no {path} here: run from the root of the repository") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    try:
        content = copy.deepcopy(_read(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = {"second occurrence": "the name of an anchor stands here a second time"}.get(error.problem or "")
        raise UserError(f"{where}: {problem or _first_line(error.problem) or 'this is not YAML'}") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read") from None
    except Exception as error:  # ruamel.yaml lets Python's errors through, as for `!!int` before a word
        raise UserError(f"{path} is not YAML: {_first_line(str(error)) or type(error).__name__}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold `key: value` lines at its top level")
    return content


@functools.lru_cache(maxsize=4)  # a stage reads the same text several times, at 30 ms each
def _read(text: str) -> Any:
    """What a YAML text says. Raises ruamel.yaml's errors, and others."""
    yaml = _yaml()
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    with warnings.catch_warnings(action="ignore"):  # an anchor may be used again
        yaml.load(text)
        # The parser in C reads a few odd texts differently. DVC uses it, so its result counts.
        return YAML(typ="safe").load(text)


def _first_line(text: str | None) -> str:
    return next(iter((text or "").splitlines()), "")


def dump(content: Any) -> str:
    """Plain values as YAML text, keys in their order; `read_yaml` and DVC read the same values back."""
    yaml: Any = _yaml()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def check(
    model: type[Model],
    content: Any,
    *,
    name: Callable[[str], str],
    may_be_auto: Iterable[str] = (),
    usual: Mapping[str, str] | None = None,
) -> Model:
    """Return `content` as a `model`. Raises UserError, one sentence, for the first mistake, or for all missing keys.

    `name` turns a dotted key into how messages call it («params.yaml: train.lr»). For keys in `may_be_auto`, messages
    say that the word auto is allowed too; the caller has already replaced it. `usual` has the values, as YAML, to
    write for other keys that are missing.
    """
    words = dict.fromkeys(may_be_auto, "auto")
    try:
        return model.model_validate(content)
    except ValidationError as problems:
        raise UserError(_sentence(model, problems, name, words, words | dict(usual or {}))) from None


# From the beginning of pydantic's message to the words that our sentence has after «must be».
_MUST_BE = {
    "Input should be a valid ": "",
    "Input should be ": "",
    "String should match pattern ": "text of the form ",
    "String should have ": "text of ",
}


def _sentence(
    model: type[BaseModel],
    problems: ValidationError,
    name: Callable[[str], str],
    may_be_auto: Container[str],
    values: Mapping[str, str],
) -> str:
    known = list(keys(model))
    allowed: dict[str, list[str]] = {}
    for key, problem in _in_turn(problems, known):
        if problem["type"] == "extra_forbidden":
            return f"{name(key)} is not a known key{_nearest(key, known)}"
        if problem["type"] == "missing":
            return _missing(key, problems, name, values)
        message = re.sub(" or instance of .*", "", problem["msg"].removeprefix("Value error, "))
        beginning = next(filter(message.startswith, _MUST_BE), None)
        if beginning is None:
            return f"{name(key)}: {message}"
        allowed.setdefault(key, [f"{name(key)} is {_shown(problem['input'])}, but must be"])
        allowed[key].append(_MUST_BE[beginning] + message.removeprefix(beginning))
    key, (start, *choices) = next(iter(allowed.items()))
    choices = ["the word auto" if choice == "'auto'" else choice for choice in choices]  # beside other kinds of value
    if key in may_be_auto:
        choices.append("the word auto")
    return f"{start} {' or '.join(dict.fromkeys(choices))}"


def _missing(first: str, problems: ValidationError, name: Callable[[str], str], values: Mapping[str, str]) -> str:
    """All keys that are missing in the file of the first one, with the line to write for each."""
    file = name(first).removesuffix(first)
    # What is missing in one of several forms of a value need not be missing: its key is not its place.
    places = [".".join(map(str, problem["loc"])) for problem in problems.errors() if problem["type"] == "missing"]
    missing = [key for key in places if name(key) == file + key] if first in places else [first]
    if missing == [first] and first not in values:
        return f"{name(first)} is missing: add it"
    lines: dict[str, list[str]] = {}
    for key in missing:
        section, _, last = key.rpartition(".")
        lines.setdefault(section, []).append(f"`{last}: {values.get(key, '...')}`")
    told = ", ".join(
        f"{', '.join(those)} {f'below {place}' if place else 'at the top'}" for place, those in lines.items()
    )
    return f"{file}{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: add {told}"


def _in_turn(problems: ValidationError, known: list[str]) -> list[tuple[str, Any]]:
    """The problems with their keys, in the order in which they are worth telling."""
    found = [(_key(problem, known), problem) for problem in problems.errors(include_url=False)]
    first: dict[str, int] = {}
    for place, (key, _) in enumerate(found):
        first.setdefault(key.partition(".")[0], place)
    # Unknown keys come first: a missing key is often there under a wrong name. Where a key takes several kinds of
    # value, what is wrong deep inside of one says more than that it is none of the others.
    return sorted(
        found,
        key=lambda one: (one[1]["type"] != "extra_forbidden", first[one[0].partition(".")[0]], -one[0].count(".")),
    )


def _key(problem: Any, known: list[str]) -> str:
    """The dotted key of a problem, without the names of union members that pydantic puts between."""
    *inner, last = problem["loc"] or ("",)
    unknown = [last] if problem["type"] == "extra_forbidden" else []
    key = ""
    for item in inner if unknown else (*inner, last):
        longer = f"{key}.{item}" if key else str(item)
        if not key or _starred(longer) in known or isinstance(item, int):
            key = longer
    return ".".join(map(str, filter(None, [key, *unknown])))


def _starred(key: str) -> str:
    """`augment.0.affine` as `augment.*.affine`, the form that `keys` gives; deeper nesting counts as two levels."""
    starred = re.sub(r"\.\d+(?=\.|$)", ".*", key)
    return re.sub(r"((?:\.(?:apply|choose)\.changes\.\*)){2,}", r"\1", starred)


def _shown(value: Any) -> str:
    text = "empty" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(key: str, known: list[str]) -> str:
    section, _, last = _starred(key).rpartition(".")
    siblings = [other.rpartition(".")[2] for other in known if other.rpartition(".")[0] == section]
    near = difflib.get_close_matches(last, siblings, n=1, cutoff=0.6)
    if near:
        return f": did you mean {near[0]}?"
    elsewhere = [other for other in known if other.rpartition(".")[2] == last]
    if elsewhere:
        return f": did you mean {elsewhere[0]}?"
    return f": known here are {', '.join(siblings)}"


def keys(model: type[BaseModel], prefix: str = "", within: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """All dotted keys of a model, sections included; `*` stands for the index of a list's item.

    A model that can contain itself is followed twice. `within` holds the models on the path to this one.
    """
    if within.count(model) > 1:
        return
    for field, info in model.model_fields.items():
        yield prefix + field
        for kind, star in _models(info.annotation):
            yield from keys(kind, f"{prefix}{field}.{star}", (*within, model))


def _models(annotation: Any, star: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models in an annotation, each with `*.` if it is the item of a list, else with an empty text."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, star
    for part in get_args(annotation):
        yield from _models(part, "*." if get_origin(annotation) is list else star)


def flatten(settings: Section) -> dict[str, Any]:
    """Settings as a dictionary from dotted keys to plain values; a list is one value."""
    values = settings.model_dump(exclude_unset=True)
    flat: dict[str, Any] = {}
    for key in keys(type(settings)):
        value: Any = values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if "*" not in key and value is not None and not isinstance(value, dict):
            flat[key] = value
    return flat
