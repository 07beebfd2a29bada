"""Which modules a module imports, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path


def imported(source: Path, root: Path) -> Iterator[str]:
    """Dotted names that a module below `root` imports; `from a import b` gives a and a.b, which may be a module.

    Imports inside functions count; those under TYPE_CHECKING do not. Raises SyntaxError.
    """
    package = source.relative_to(root).parent.parts
    waiting: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"), str(source))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        else:
            waiting += ast.iter_child_nodes(node)


def module_file(name: str, root: Path) -> Path | None:
    """The file below `root` that defines this module or package; None if there is none."""
    place = root.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def files_of(name: str, root: Path) -> list[Path]:
    """The files below `root` that an import of this dotted name runs: those of its packages, then the module."""
    parts = name.split(".")
    files = [module_file(".".join(parts[:count]), root) for count in range(1, len(parts) + 1)]
    return [file for file in files if file is not None]
