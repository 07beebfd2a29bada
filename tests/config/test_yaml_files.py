import warnings

import pytest
from dvc.utils.serialize import load_yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from darkroom.base.errors import UserError
from darkroom.config.yaml_files import Section, check, dump, keys, read_yaml
from tests import make


class Part(Section):
    rate: float
    names: list[str] = Field(default_factory=list)


class Whole(Section):
    part: Part
    parts: list[Part] = Field(default_factory=list)
    count: int = 1


def read(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


def as_dvc_reads(tmp_path, text):
    path = tmp_path / "dvcs.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path)


def refusal(content):
    with pytest.raises(UserError) as caught:
        check(Whole, content, name=lambda key: f"file: {key}")
    return str(caught.value)


@pytest.mark.parametrize("text", ["1e-05", "1E5", "+3e-2", "-1e+3", "1.5e-3", ".5", "1_0e-1"])
def test_a_number_in_any_notation_is_a_number(tmp_path, text):
    assert read(tmp_path, f"a: {text}") == {"a": float(text)}


@pytest.mark.parametrize("text", ["e5", "1e", "1e-", "a1e5", "0x1e-5", "1e5x"])
def test_what_only_resembles_a_number_is_text(tmp_path, text):
    assert read(tmp_path, f"a: {text}") == {"a": text}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(tmp_path_factory, number):
    assert read(tmp_path_factory.mktemp("yaml"), f"a: {number!r}") == {"a": number}


@pytest.mark.parametrize(
    "text",
    [
        "010", "08", "0o10", "0x1F", "0b11", "-010", "1_000", "+1", "-0",
        "yes", "on", "No", "y", "true", "True", "TRUE", "null", "Null", "~", "",
        "1:30", "1:30:00", "1:30.5", "1e5", "1e-05", "1E5", ".5", "+.5", "1.", "-.inf", ".nan", ".NaN", "1e400",
        "2026-01-02", "2026-01-02 10:11:12", "2026-1-2", "1.2.3", "0.1e", "e5", "1,000", "_", "0_",
        "'010'", '"yes"', "!!str 010", "!!int '8'", "!!float 1", "!!binary aGVsbG8=", "! 12",
        "[]", "{}", "[1, yes, a: 2]", "&a [1, *a]", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]",
        "|\n  a\n  b", ">-\n  a\n  b", "a # b", "a#b", "\N{NO-BREAK SPACE}x", "\x85", '"\\u00e9"',
        "{<<: {a: 1}, b: 2}", "{<<: [{a: 1}, {a: 2, b: 3}], b: 4}", "{2: a, 1.5: b, true: c, null: d, 010: e}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", ["", "%YAML 1.1\n---\n"])
@pytest.mark.filterwarnings("ignore")  # DVC lets ruamel.yaml warn of 1.1
def test_what_is_read_is_what_dvc_reads(tmp_path, text, head):
    whole = f"{head}a: {text}\n"
    assert repr(read(tmp_path, whole)) == repr(as_dvc_reads(tmp_path, whole))  # nan is not equal to itself


@given(st.text(alphabet="ab01.-+:_e ~\n'\"[]{},#&*!?|>%<=x", max_size=30))
def test_of_any_text_what_is_read_is_what_dvc_reads(tmp_path_factory, text):
    folder, found = tmp_path_factory.mktemp("yaml"), []
    if make.refusal(lambda: found.append(read(folder, "a: " + text))) is None:
        assert repr(found[0]) == repr(as_dvc_reads(folder, "a: " + text))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)
    | st.sampled_from(["010", "yes", "1:30", "1e-05", "null", "", " ", "a: b", "# a", "- a", "x" * 200, "x " * 100]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), VALUES))
def test_what_is_dumped_is_read_back_here_and_by_dvc(tmp_path_factory, content):
    folder, text = tmp_path_factory.mktemp("yaml"), dump(content)
    assert read(folder, text) == content
    assert as_dvc_reads(folder, text) == content
    assert list(read(folder, text)) == list(content)


def test_an_anchor_that_comes_again_is_refused_as_dvc_refuses_it(tmp_path):
    with warnings.catch_warnings(action="error"), pytest.raises(UserError, match=r"line 1, column 15: the name of an"):
        read(tmp_path, "a: [&x 1, *x, &x 2, *x]")


def test_a_merge_key_takes_over_what_is_not_overridden(tmp_path):
    text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n"
    assert read(tmp_path, text)["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml, line 3, column 1: the key 'a' stands here a second time"),
        ("a: {b: 1, b: 1}\n", "line 1, column 11: the key 'b' stands here a second time"),
        ("a: &a {x: 1}\nb: {<<: *a, c: 1, c: 2}\n", "line 2, column 19: the key 'c' stands here a second time"),
        ("a: {1: b, 1.0: c}\n", "line 1, column 11: "),
        ("a: {<<: {b: 1}, <<: {c: 1}}\n", "line 1, column 17: "),
        ("a: [1, 2\n", "file.yaml, line 2, column 1: "),
        ("a: b: c\n", "line 1, column 5: "),
        ("\tb: 1\n", "line 1, column 1: "),
        ("? [1, 2]\n: 3\n", "line 1, column 3: "),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: "),
        ("a: 2026-99-99\n", "file.yaml is not YAML"),
        ("a: !!omap [b: 1, b: 2]\n", "file.yaml is not YAML"),
        ("a: -_\n", "file.yaml is not YAML"),
        ("a: 1\n--- \nb: 2\n", "line 2, column 1: "),
        ("a: !!bool maybe\n", "file.yaml is not YAML"),
        ("a: !!int ''\n", "file.yaml is not YAML"),
        ("a: !!timestamp soon\n", "line 1, column 4: "),
        ('a: "\\ud800"\n', "line 1, column 4: half of a character stands here"),
        ("a: \x01\n", "file.yaml is not YAML"),
        ("[" * 5000, "file.yaml is nested too deeply"),
        ("- a\n- b\n", "file.yaml must hold `key: value` lines"),
        ("", "file.yaml must hold `key: value` lines"),
    ],
)
def test_a_broken_file_ends_in_one_sentence(tmp_path, text, says):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*nowhere.yaml here: run from the root"):
        read_yaml(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_bytes("title: é".encode("latin-1"))
    with pytest.raises(UserError, match=r"file.yaml is not UTF-8 text \(byte 7\)"):
        read_yaml(path)


PIECES = (
    "a: ", "- ", "!!int ", "!!float ", "!!timestamp ", "!!omap ", "!!set ", "!!binary ", "&a ", "*a", "<<: ", "? ",
    "[", "]", "{", "}", ", ", "1", "-", "_", "x", "\n", "\n  ", '"', "é", "0001-01-01T00:00:00+23:59",
)  # fmt: skip


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
)
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    sentence = make.refusal(lambda: read(tmp_path_factory.mktemp("yaml"), text))
    assert sentence is None or make.is_one_line(sentence)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"part": {"rat": 1.0}}, "file: part.rat is not a known key: did you mean rate?"),
        ({"part": {"rate": 1.0}, "rate": 1.0}, "file: rate is not a known key: did you mean part.rate?"),
        ({"part": {"rate": 1.0}, "xyz": 1}, "file: xyz is not a known key: known here are part, parts, count"),
        ({"part": {"rate": 1.0}, "parts": [{"rat": 1.0}]}, "file: parts.0.rat is not a known key: did you mean rate?"),
        ({}, "file: part is missing: add it"),
        ({"part": {}}, "file: part.rate is missing: add it"),
        ({"part": {"rate": "x"}}, "file: part.rate is 'x', but must be number"),
        ({"part": {"rate": None}}, "file: part.rate is empty, but must be number"),
        ({"part": {"rate": 1.0}, "count": "7"}, "file: count is '7', but must be integer"),
        ({"part": {"rate": 1.0}, "count": True}, "file: count is True, but must be integer"),
        ({"part": {"rate": 1.0}, "count": 1.5}, "file: count is 1.5, but must be integer"),
        ({"part": {"rate": 1.0, "names": [1]}}, "file: part.names.0 is 1, but must be string"),
        ({"part": 5}, "file: part is 5, but must be "),
    ],
)
def test_a_bad_value_names_key_and_remedy(content, says):
    assert refusal(content).startswith(says)


def test_a_very_long_value_is_cut():
    assert len(refusal({"part": {"rate": "x" * 10_000}})) < 150


@pytest.mark.parametrize("key", ["a\nb", "a\tb", "", 5, None, "\x1b[31m"])
def test_a_strange_key_is_refused_in_one_printable_line(key):
    assert refusal({"part": {"rate": 1.0}, key: 1}).isprintable()


def test_keys_lists_sections_and_items():
    assert list(keys(Whole)) == [
        "part", "part.rate", "part.names", "parts", "parts.*.rate", "parts.*.names", "count",
    ]  # fmt: skip
