"""YAML files checked against pydantic models; each mistake becomes one sentence that names key and remedy."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

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


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, but `1e-05` is a number and a key given twice is an error."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands here a second time", key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        return node

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if re.search("[\ud800-\udfff]", value):
            raise yaml.constructor.ConstructorError(
                None, None, "half of a character stands here, which no file can hold", node.start_mark
            )
        return value


# DVC writes `-S train.lr=0.00001` as 1e-05, which YAML 1.1 takes for a string: its floats need a point.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506, a SafeLoader
    except FileNotFoundError:
        raise UserError(f"there is no {path} here: run from the root of the repository") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise UserError(f"{where}: {error.problem or 'this is not YAML'}") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:  # the last two: `!!int` before no number
        raise UserError(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold `key: value` lines at its top level")
    return content


def check(model: type[Model], content: Any, *, name: Callable[[str], str], may_be_auto: Iterable[str] = ()) -> Model:
    """Check `content` against `model`.

    `name` turns a dotted key into what the user calls it («params.yaml: train.lr»). Keys in `may_be_auto` also
    accept the word auto, which the caller has already replaced; it is mentioned among what is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as problems:
        raise UserError(_sentence(model, problems, name, frozenset(may_be_auto))) from None


# How pydantic's messages begin, and what stands there after our «must be».
_MUST_BE = {
    "Input should be a valid ": "",
    "Input should be ": "",
    "String should match pattern ": "text of the form ",
    "String should have ": "text of ",
}


def _sentence(
    model: type[BaseModel], problems: ValidationError, name: Callable[[str], str], may_be_auto: frozenset[str]
) -> str:
    known = list(keys(model))
    allowed: dict[str, list[str]] = {}
    # Unknown keys first: one that is missing often stands there under a wrong name.
    for problem in sorted(problems.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden"):
        if problem["type"] == "extra_forbidden":
            key = ".".join(map(str, problem["loc"]))
            return f"{name(key)} is not a known key{_nearest(key, known)}"
        key = _key(problem["loc"], known)
        if problem["type"] == "missing":
            return f"{name(key)} is missing: add it"
        message = problem["msg"].removeprefix("Value error, ")
        beginning = next(filter(message.startswith, _MUST_BE), None)
        if beginning is None:
            return f"{name(key)}: {message}"
        allowed.setdefault(key, [f"{name(key)} is {_shown(problem['input'])}, but must be"])
        allowed[key].append(_MUST_BE[beginning] + message.removeprefix(beginning))
    key, (start, *choices) = next(iter(allowed.items()))
    if key in may_be_auto:
        choices.append("the word auto")
    return f"{start} {' or '.join(dict.fromkeys(choices))}"


def _key(location: tuple[int | str, ...], known: list[str]) -> str:
    """The dotted key of a pydantic location, without the names of union branches that pydantic appends."""
    key = ""
    for item in location:
        longer = f"{key}.{item}" if key else str(item)
        if key and _starred(longer) not in known and not isinstance(item, int):
            break
        key = longer
    return key


def _starred(key: str) -> str:
    """`augment.0.affine` as `augment.*.affine`, the form that `keys` gives; deep nesting as the second level."""
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
    """All dotted keys of a model, sections included; the place of a list's item is written `*`.

    A model that may hold itself is followed twice. `within` are the models on the way to this one.
    """
    if within.count(model) > 1:
        return
    for field, info in model.model_fields.items():
        yield prefix + field
        for kind, star in _models(info.annotation):
            yield from keys(kind, f"{prefix}{field}.{star}", (*within, model))


def _models(annotation: Any, star: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models that an annotation speaks of, each with `*.` where it stands in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, star
    for part in get_args(annotation):
        yield from _models(part, "*." if get_origin(annotation) is list else star)
