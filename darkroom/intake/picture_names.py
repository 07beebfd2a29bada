"""How a text in a table names a picture: by its path, the end of its path, its name without ending, or its number."""

import posixpath
import re
from collections.abc import Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.config.patterns import composed

LAST_NUMBER = re.compile(r"([0-9]+)[^0-9]*\Z")


def folder_of(path: str) -> str:
    """The folder of a file with a slash at its end; empty for a file in no folder."""
    return path[: path.rfind("/") + 1]


def as_paths(column: pa.ChunkedArray, folder: str) -> list[str | None]:
    """The texts of a column as paths in an archive.

    Backslashes become slashes, `./` and `/` at the beginning are left out, and `../` starts from the table's folder.
    A path that leads out of the archive keeps its `../`, and so names no picture.
    """
    if not pc.any(pc.match_substring_regex(column, pattern=r"\\|^\.{0,2}/")).as_py():
        return cast(list[str | None], column.to_numpy().tolist())
    paths = pc.replace_substring(column, pattern="\\", replacement="/")
    paths = pc.replace_substring_regex(paths, pattern="^(?:\\./|/)+", replacement="")
    upwards = pc.any(pc.starts_with(paths, pattern="../")).as_py()
    texts: list[str | None] = paths.to_numpy().tolist()
    if upwards:
        return [posixpath.normpath(folder + text) if text and text.startswith("../") else text for text in texts]
    return texts


class Names:
    """Finds the row of a picture among the texts that name pictures.

    Some lookups a picture in one dictionary, as many as the texts have folders, and no search.
    """

    def __init__(self, rows: dict[str, int], folder: str, numbered: bool) -> None:
        """`rows` of the texts; the table's `folder`, as of `folder_of`; `numbered` if texts are pictures' numbers."""
        self.rows, self.folder, self.numbered = rows, folder, numbered
        self.depths = {text.count("/") for text in rows}  # how many folders the texts name
        self.deepest = max(self.depths, default=0)
        self._dotted = any("." in text for text in rows)  # else no text has an ending, and no path with one is found
        self._only_stems = not (self.deepest or self._dotted)

    def find(self, path: str) -> tuple[int, int] | None:
        """The row that names a picture, and the rank: 0 to 3, as in `labelling.Match`."""
        path, rows = composed(path), self.rows
        slash = path.rfind("/") + 1
        dot = path.rfind(".", slash)
        has_ending = dot > slash
        if has_ending and self._only_stems and (row := rows.get(path[slash:dot])) is not None:
            return row, 2  # quick: the ways of rank 0 and 1 find nothing
        ends = self._ends(path) if self.deepest else (path[slash:],)
        if self._dotted or not has_ending:
            # Rank 0: the whole path, from the archive's root or from the table's folder.
            row = rows.get(path)
            if row is None and self.folder and path.startswith(self.folder):
                row = rows.get(path[len(self.folder) :])
            if row is not None:
                return row, 0
            # Rank 1: the ends of the path, the longest first.
            for end in ends:
                row = rows.get(end)
                if row is not None:
                    return row, 1
        # Rank 2: the same without the file's ending.
        if has_ending:
            for end in ends:
                row = rows.get(end[: dot - len(path)])
                if row is not None:
                    return row, 2
        return self._by_number(path) if self.numbered else None

    def _ends(self, path: str) -> Sequence[str]:
        """The ends of a path that have as many folders as some text, the longest first."""
        ends, slash = [], len(path)
        for depth in range(self.deepest + 1):
            slash = path.rfind("/", 0, slash)
            if depth in self.depths or slash < 0:
                ends.append(path[slash + 1 :])
            if slash < 0:
                break
        return ends[::-1]

    def _by_number(self, path: str) -> tuple[int, int] | None:
        """Rank 3: the last number in the name without ending."""
        number = LAST_NUMBER.search(posixpath.splitext(posixpath.basename(path))[0])
        row = self.rows.get(number[1].lstrip("0") or "0") if number else None
        return None if row is None else (row, 3)
