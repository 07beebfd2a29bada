"""What a module needs to run elsewhere, read from its imports: files of this package, and other packages."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def needs(source: Path) -> tuple[list[Path], list[str]]:
    """The files of Darkroom that a module needs, below the folder of the package; and pinned requirements, by name.

    Imports in functions count, for they will be made; those under TYPE_CHECKING do not.
    """
    files: set[Path] = set()
    others: set[str] = set()
    waiting = [source]
    while waiting:
        for name in _imported(waiting.pop()):
            if name.partition(".")[0] != PACKAGE.name:
                others.add(name.partition(".")[0])
                continue
            found = _files(name) - files
            files |= found
            waiting += found
    distributions = packages_distributions()
    # Several share the name mlflow, which MLflow itself adds to the requirements of its models.
    known = {distributions[name][0] for name in others - sys.stdlib_module_names - {"mlflow"}}
    # A build's own mark, as in 2.15.0+cpu, is left out: no index has it.
    return sorted(files), [f"{name}=={version(name).partition('+')[0]}" for name in sorted(known)]


def _files(name: str) -> set[Path]:
    """The module of this dotted name, if it is one, with the `__init__.py` of each package on the way to it."""
    parts = name.split(".")[1:]
    packages = [PACKAGE.joinpath(*parts[:count], "__init__.py") for count in range(len(parts) + 1)]
    return {file for file in [*packages, PACKAGE.joinpath(*parts).with_suffix(".py")] if file.is_file()}


def _imported(source: Path) -> Iterator[str]:
    """Dotted names that a module imports; of `from a import b` also a.b, which may be a module."""
    waiting: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            waiting += ast.iter_child_nodes(node)
