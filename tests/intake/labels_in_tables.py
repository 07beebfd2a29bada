"""Tables for tests: a text read as a file of an archive."""

from darkroom.intake.tables import read


def table(text, path="labels.csv", **how):
    """The table in a text."""
    return read(text.encode(), path, **how)


def values(found):
    """A table's columns as lists."""
    return {key: column.to_pylist() for key, column in found.columns.items()}
