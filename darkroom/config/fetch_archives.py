"""The section `fetch` of params.yaml: archives that a user names, each for one entry of the catalogue.

A value set by `-S` stays in params.yaml. Behind the name of its entry, an archive never serves another one.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import field_validator

from darkroom.base.errors import UserError
from darkroom.base.words import did_you_mean
from darkroom.config.yaml_files import Section, UsersPath


class Fetch(Section):
    archive: dict[str, UsersPath | None]  # by entry

    @field_validator("archive", mode="before")
    @classmethod
    def _without_lines(cls, archive: Any) -> Any:
        return {} if archive is None else archive


def check_entries(content: dict[str, Any], dataset: str, entries: Callable[[], Iterable[str]]) -> None:
    """Raise UserError, one sentence, if params.yaml names an archive for no entry, or for one that is not there.

    `content` is that of params.yaml, `dataset` the chosen entry; `entries` reads the names of all, where they are
    needed.
    """
    fetch = content.get("fetch")
    given = fetch.get("archive") if isinstance(fetch, dict) else None
    if isinstance(given, str) and given:
        raise UserError(
            f"params.yaml: fetch.archive is {given!r}, but must say for which entry: if for {dataset}, write there "
            f"`archive: {{{dataset}: {given}}}`, or git checkout params.yaml and -S ++fetch.archive.{dataset}={given}"
        )
    others = [str(name) for name, path in given.items() if path and name != dataset] if isinstance(given, dict) else []
    known = list(entries()) if others else []
    for name in others:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"params.yaml: fetch.archive.{name} is for no entry that datasets.yaml lists: {hint}")
