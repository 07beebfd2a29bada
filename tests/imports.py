"""Which modules of this repository a module imports, directly or through others, read from the source."""

import ast
from pathlib import Path

PACKAGES = ("darkroom", "stages")


def imported_files(source: Path, root: Path) -> set[str]:
    """Paths below `root` of all modules that `source` needs, itself included. Imports in functions count too."""
    found: set[str] = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name not in found:
            found.add(name)
            waiting.extend(_direct(path, root))
    return found


def _direct(path: Path, root: Path) -> list[Path]:
    files = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            module = root / (name.replace(".", "/") + ".py")
            if name.split(".")[0] in PACKAGES and module.is_file():
                files.append(module)
    return files
