import pytest

from darkroom.base.imports import files_of, imported, module_file


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import a.b, c as d", {"a.b", "c"}),
        ("from a import b", {"a", "a.b"}),
        ("from . import b", {"pack", "pack.b"}),
        ("from .a import b", {"pack.a", "pack.a.b"}),
        ("def later():\n    import a", {"a"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
    ],
)
def test_names_that_a_module_imports(tmp_path, text, names):
    source = tmp_path / "pack" / "module.py"
    source.parent.mkdir()
    source.write_text(text)
    assert set(imported(source, tmp_path)) == names


def test_files_that_an_import_runs(tmp_path):
    (tmp_path / "pack" / "deep").mkdir(parents=True)
    for name in ("pack/__init__.py", "pack/module.py", "pack/deep/module.py"):
        (tmp_path / name).write_text("")
    assert files_of("pack.module", tmp_path) == [tmp_path / "pack/__init__.py", tmp_path / "pack/module.py"]
    assert files_of("pack.deep.module", tmp_path) == [tmp_path / "pack/__init__.py", tmp_path / "pack/deep/module.py"]
    assert module_file("pack", tmp_path) == tmp_path / "pack/__init__.py"
    assert module_file("pack.function", tmp_path) is None
