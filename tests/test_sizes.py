"""How large a file, a function and a list of parameters may be, and how long a loop variable may live.

A function counts from its first decorator, or `def`, to its last line, with its docstring; so does a method, and a
function inside of another, which counts there too. Of parameters `self` and `cls` do not count; `*` and `**` do.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILE, STAGE, FUNCTION, PARAMETERS = 300, 60, 60, 6
MODULES = sorted([*ROOT.glob("darkroom/**/*.py"), *ROOT.glob("stages/*.py")])
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]


def lines(function):
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return function.end_lineno - first + 1


def parameters(function):
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [one.arg for one in named if one.arg not in ("self", "cls")]


def too_large(name, text):
    """What is too large in a module of this name, a line for each."""
    limit = STAGE if name.startswith("stages/") else FILE
    count = len(text.splitlines())
    found = [f"{count} lines, but at most {limit}"] if count > limit else []
    for function in functions(ast.parse(text)):
        if lines(function) > FUNCTION:
            found.append(f"{function.name}: {lines(function)} lines, but at most {FUNCTION}")
        if len(parameters(function)) > PARAMETERS:
            found.append(f"{function.name}: {len(parameters(function))} parameters, but at most {PARAMETERS}")
    return found


class Scope(ast.NodeVisitor):
    """The names of one function, or of a module outside of its functions: where loops bind them and what reads them."""

    def __init__(self, body):
        self.loops: dict[str, list[tuple[int, int]]] = {}  # first and last line in which a loop gives it a value
        self.bound: set[str] = set()  # otherwise than by a loop
        self.reads: list[tuple[str, int]] = []
        self._hidden: list[set[str]] = []  # names of comprehensions, which are others
        for node in body:
            self.visit(node)

    def visit_For(self, node):
        for name in names_of(node.target):
            self.loops.setdefault(name, []).append((node.lineno, max(part.end_lineno for part in node.body)))
        for part in (node.iter, *node.body, *node.orelse):
            self.visit(part)

    visit_AsyncFor = visit_For

    def visit_Name(self, node):
        if any(node.id in names for names in self._hidden):
            return
        if isinstance(node.ctx, ast.Load):
            self.reads.append((node.id, node.lineno))
        else:
            self.bound.add(node.id)

    def visit_FunctionDef(self, node):
        """A function inside may read what is bound here; its own names and parameters are others."""
        inside = Scope([ast.Assign([ast.Name(name, ast.Store())], node.args) for name in parameters(node)] + node.body)
        own = inside.bound | set(inside.loops)
        self.reads += [(name, line) for name, line in inside.reads if name not in own]
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node):
        self._hidden.append(set(parameters(node)))
        self.generic_visit(node)
        self._hidden.pop()

    def visit_comprehension_of(self, node):
        self._hidden.append({name for part in node.generators for name in names_of(part.target)})
        self.generic_visit(node)
        self._hidden.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of

    def outlived(self):
        """Loop variables that are read after a loop, outside of every loop that gives them a value."""
        return [
            f"line {line}: {name} is read after its loop"
            for name, line in self.reads
            if name in self.loops and name not in self.bound
            if not any(first <= line <= last for first, last in self.loops[name])
            if line > min(last for _, last in self.loops[name])
        ]


def names_of(target):
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def outlived(text):
    tree = ast.parse(text)
    bodies = [tree.body, *(function.body for function in functions(tree))]
    return sorted({line for body in bodies for line in Scope(body).outlived()})


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_small_and_its_loop_variables_end_with_their_loops(module):
    text = module.read_text(encoding="utf-8")
    assert too_large(module.relative_to(ROOT).as_posix(), text) + outlived(text) == []


def test_what_is_too_large_is_found():
    long = "def f():\n" + "    pass\n" * FUNCTION
    assert too_large("darkroom/x.py", long) == ["f: 61 lines, but at most 60"]
    assert too_large("darkroom/x.py", "@cache\n" + long.replace("    pass\n", "", 1)) == ["f: 61 lines, but at most 60"]
    assert too_large("darkroom/x.py", "class A:\n    def f(self, a, b, c, d, e, f): ...\n") == []
    assert too_large("darkroom/x.py", "def f(a, b, /, c, *d, e, f, **g): ...") == ["f: 7 parameters, but at most 6"]
    assert too_large("darkroom/x.py", "\n" * 301) == ["301 lines, but at most 300"]
    assert too_large("stages/x.py", "\n" * 61) == ["61 lines, but at most 60"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for a in b:\n    pass\nprint(a)", ["line 3: a is read after its loop"]),
        ("for a in b:\n    break\nelse:\n    print(a)", ["line 4: a is read after its loop"]),
        ("def f(b):\n    for x, a in b:\n        break\n    return a", ["line 4: a is read after its loop"]),
        ("for a in b:\n    pass\nf = lambda: a", ["line 3: a is read after its loop"]),
        ("for a in b:\n    pass\ndef f():\n    return a", ["line 4: a is read after its loop"]),
        ("for a in b:\n    print(a)\nfor a in c:\n    print(a)", []),
        ("a = 0\nfor a in b:\n    pass\nprint(a)", []),
        ("for a in b:\n    pass\nprint([a for a in c])", []),
        ("for a in b:\n    pass\nprint(max(c, key=lambda a: -a))", []),
        ("for a in b:\n    pass\ndef f(a):\n    return a", []),
    ],
)
def test_a_loop_variable_that_outlives_its_loop_is_found(text, found):
    assert outlived(text) == found
