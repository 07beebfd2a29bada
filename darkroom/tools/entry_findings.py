"""The doctor's checks of the catalogue: every entry, whether chosen or not, and what the first version left in it.

An entry of the first version has keys of that version alone, and its patterns are folders or globs. Where `*` is
meant to stay within a folder, a name in its place says so: `images/{picture}`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.config import catalogue, params
from darkroom.config.catalogue import Entry
from darkroom.config.entry_name import check_name
from darkroom.config.patterns import Pattern, of_first_version
from darkroom.config.yaml_files import read_yaml
from darkroom.tools.finding import Finding

NAME = paths.DATASETS.name
GLOBBED = ("train", "test", "unlabeled")
OF_FIRST_VERSION = {"title", "license", *catalogue.SOURCES, "sha256", *GLOBBED}
OF_FIRST_VERSION |= {"channels", "image_size", "classes", "submission", "recipe"}


def entries(told: str = "") -> Iterator[Finding]:
    """Findings about each entry of the catalogue. `told` is a mistake that stands in another finding already.

    A name that no entry can have is a problem, for DVC may misread the whole file; what else is wrong with an entry
    is one where it is chosen, and told where the parameters are read.
    """
    with suppress(UserError):  # files that cannot be read are told where the parameters are read
        found = read_yaml(paths.DATASETS)
        settings = read_yaml(paths.PARAMS)
        for name, content in found.items():
            try:
                check_name(name)
            except UserError as error:
                yield Finding("problem", NAME, str(error))
                continue
            try:
                entry = catalogue.checked(name, content)
                _check_recipe(name, entry, settings)
            except UserError as error:
                if str(error) != told:
                    yield Finding("warning", NAME, str(error))
                continue
            yield from _of_first_version(name, entry)


def _check_recipe(name: str, entry: Entry, settings: dict[str, Any]) -> None:
    """Raise UserError if the entry's recipe does not fit the parameters; other mistakes in these are none of its."""
    try:
        params.replaced(deepcopy(settings) | {"dataset": name}, entry)
    except UserError as error:
        if str(error).startswith(f"{paths.DATASETS}: {name}."):
            raise


def _of_first_version(name: str, entry: Entry) -> Iterator[Finding]:
    if not entry.model_fields_set <= OF_FIRST_VERSION:
        return
    for key in GLOBBED:
        text = getattr(entry, key)
        if isinstance(text, str) and "**" not in text and not Pattern(text).names and set(text) & set("*?["):
            yield Finding("warning", NAME, f"{name}.{key} is {text!r}: {_new_glob(key, text)}")
    given = Counter(new for new in entry.classes.values() if new is not None)
    for new in (new for new, labels in given.items() if labels > 1):
        labels = [repr(label) for label, other in entry.classes.items() if other == new]
        yield Finding("ok", NAME, f"{name}.classes makes one class, {new!r}, of the labels {listed(labels)}")


def _new_glob(key: str, text: str) -> str:
    """What has changed about a glob, and the line to write instead."""
    changes = []
    if "*" in text:
        changes.append("`*` crossed folders in the first version and stays within one now")
    if not {"?", "["}.isdisjoint(text):
        changes.append("? and brackets were wildcards in the first version and stand for themselves now")
    within, star, rest = text.rpartition("*")
    instead = "" if len(changes) > 1 or not star else f', or "{within}{{picture}}{rest}" if one folder is meant'
    return f'{"; ".join(changes)}: write {key}: "{of_first_version(text)}"{instead}'


def given_test(settings: params.Params, entry: Entry) -> Iterator[Finding]:
    """That the makers' test pictures are kept, where neither parameters nor recipe say so: once they were divided."""
    if entry.test is not None and settings.split.use_given_test == "auto":
        key = "split.use_given_test"
        yield Finding(
            "ok",
            "split",
            f"{key} is auto: the makers' test pictures of {settings.dataset} are kept as the test split; the first "
            f"version divided them like the rest, as -S {key}=false does",
        )
