"""Check the entry of the data set, and write down what fetch and what extract read of it."""

from typing import get_args

from darkroom.base.console import done, run
from darkroom.base.errors import without_password
from darkroom.base.words import by
from darkroom.config import entry_files
from darkroom.config.catalogue import Subset
from darkroom.config.params import load


def main() -> None:
    params, entry = load()
    entry_files.write(params, entry)
    wanted = entry_files.EntrySource.of(params, entry)
    subsets = {name: getattr(entry, name) for name in get_args(Subset)}
    told = ", ".join(f"{name}: {pattern}" for name, pattern in subsets.items() if pattern is not None)
    place = without_password(wanted.place)
    done(
        f"{params.dataset}: from {wanted.source}: {place}; {told}; stored as {by(entry.shape)}",
        "dvc repro fetch",
    )


if __name__ == "__main__":
    run(main)
