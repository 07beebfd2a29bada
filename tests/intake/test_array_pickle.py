import io
import os
import pickle
from collections import OrderedDict
from datetime import date

import numpy as np
import pytest

from darkroom.intake import array_pickle
from tests import boxes, make
from tests.intake.fetched import refusal

HELD = {
    b"data": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "floats": np.linspace(0, 1, 5),
    "labels": [1, 2, 300, -70_000, 2**40],
    "names": ("cat", b"dog", "\u00e9"),
    "more": {"none": None, "true": True, "part": 0.5},
}


def load(content):
    return array_pickle.load(io.BufferedReader(io.BytesIO(content)), "b")


@pytest.mark.parametrize("protocol", range(6))
def test_it_gives_what_the_reader_of_python_gives(protocol):
    found = load(pickle.dumps(HELD, protocol))
    assert found.keys() == HELD.keys()
    for key, value in HELD.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            assert (found[key] == value).all()
        else:
            assert found[key] == value


class Harm:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("call", [os.system, eval, exec, getattr, open, __import__, np.load, np.frombuffer])
def test_a_program_is_refused_and_not_run(tmp_path, monkeypatch, protocol, call):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"data": Harm(call, "touch harm")}, protocol)
    assert "which no array needs" in refusal(lambda: load(content))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "held", [OrderedDict(a=1), date(2000, 1, 1), {1, 2}, 1j, np.array([{}], object), np.array(["a"])]
)
def test_other_objects_are_refused(held):
    assert "is read safely" in refusal(lambda: load(pickle.dumps({"data": held}, 4)))


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_told_or_gives_plain_values(seed):
    chance = np.random.default_rng(seed)
    content = bytearray(
        boxes.batch(protocol=int(chance.integers(0, 6)), data=np.zeros((2, 3), np.uint8), labels=[1, 2])
    )
    for place in chance.integers(0, len(content), 3):
        content[place] = chance.integers(0, 256)
    sentence = make.refusal(lambda: load(bytes(content)))
    assert sentence is None or sentence.startswith("b is no pickle of arrays")


def test_an_array_that_was_only_begun_is_refused():
    content = b"\x80\2cnumpy.core.multiarray\n_reconstruct\n)R."
    assert "has no numbers" in refusal(lambda: load(content))


def test_a_large_pickle_is_refused_before_memory_holds_it(monkeypatch):
    monkeypatch.setattr(array_pickle, "MOST_BYTES", 100)
    assert "more than 100 bytes" in refusal(lambda: load(pickle.dumps([b"x" * 200], 2)))
    monkeypatch.setattr(array_pickle, "MOST_STEPS", 10)
    assert "more than 10 steps" in refusal(lambda: load(pickle.dumps(list(range(20)), 2)))


def test_a_text_that_becomes_bytes_again_and_again_is_refused(monkeypatch):
    monkeypatch.setattr(array_pickle, "MOST_BYTES", 500)
    text, latin = b"X\x64\0\0\0" + b"x" * 100 + b"q\0", b"X\x06\0\0\0latin1"
    again = b"c_codecs\nencode\nh\0" + latin + b"\x86R"
    assert len(load(b"\x80\2]" + text + again + b"\x86.")) == 2
    assert "more than 500 bytes of text" in refusal(lambda: load(b"\x80\2" + text + b"](" + again * 6 + b"e."))
