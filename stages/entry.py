"""Check the entry of the data set, and write down what fetch and what extract read of it."""

from darkroom.base.console import done, run
from darkroom.base.errors import printable, without_password
from darkroom.base.words import by
from darkroom.config import entry_files
from darkroom.config.catalogue import SUBSETS
from darkroom.config.params import load


def main() -> None:
    params, entry = load()
    entry_files.write(params, entry)
    wanted = entry_files.EntrySource.of(params, entry)
    places = [wanted.place] if isinstance(wanted.place, str) else wanted.place
    given: dict[str, str | list[str] | None] = {name: getattr(entry, name) for name in SUBSETS}
    given["labels"] = [table.file for table in entry.tables] or None
    told = [
        f"{name}: {(value if isinstance(value, str) else ', '.join(value)) or '.'}"
        for name, value in given.items()
        if value is not None
    ]
    # Written as in the entry, but for quotes and brackets.
    source = f"{wanted.source}: {', '.join(map(without_password, places))}"
    said = f"{params.dataset}: from {source}; {'; '.join(told)}; stored as {by(entry.shape)}"
    done(printable(said), "dvc repro fetch")


if __name__ == "__main__":
    run(main)
