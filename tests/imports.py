"""Which modules of this repository a module imports, directly or through others, read from the source."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("darkroom", "stages")


def imported_files(source: Path, root: Path, without: tuple[str, ...] = ()) -> set[str]:
    """Paths below `root` of all modules that `source` needs, itself included. Imports in functions count too.

    Below the folders `without` nothing is looked at.
    """
    found: set[str] = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name not in found and not name.startswith(without):
            found.add(name)
            waiting.extend(direct(path, root))
    return found


def direct(path: Path, root: Path) -> tuple[Path, ...]:
    """The modules of this repository that a module itself imports; a package stands for its `__init__.py`."""
    return _direct(path, root, path.stat().st_mtime_ns)


@functools.cache
def _direct(path: Path, root: Path, _changed: int) -> tuple[Path, ...]:
    files: list[Path] = []
    for name in _names(path, root):
        place = root / name.replace(".", "/")
        files += [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return tuple(files)


def _names(path: Path, root: Path) -> Iterator[str]:
    """Dotted names of what is imported and may be a module of ours, relative imports resolved."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)
