"""Every form of a sample comes out byte for byte the same, but for the predictions."""

import numpy as np
import pytest

from darkroom.classifier import filled_sample
from darkroom.classifier.submission import Predictions
from darkroom.intake.sample_submission import understand
from tests import make
from tests.intake.fetched import refusal

PICTURES = ["test/1.jpg", "test/2.jpg", "test/3.jpg"]
BEST = [1, 0, 1]  # of each picture
HALF = [[0.25, 0.75], [1.0, 0.0], [1e-7, 0.9999999]]


def fill(data, tmp_path, classes=("cat", "dog"), submission="s.csv", pictures=PICTURES, entry=None):
    sample = understand(data, make.entry(submission=submission, classes=entry), classes, pictures)
    chosen = sample.pictures
    found = Predictions(np.array(BEST)[chosen], np.ones(len(chosen), np.float32),
                        np.array(HALF, np.float32)[chosen][:, list(sample.answers.classes)])  # fmt: skip
    filled_sample.write(tmp_path / "out.csv", sample, found)
    return (tmp_path / "out.csv").read_bytes()


# Each form with @ for a prediction; what stands there in the sample; and what must stand there.
DOGS = ["0.75", "0", "0.999999881"]
BOTH = ["0.25", "0.75", "1", "0", "1.00000001e-07", "0.999999881"]
FORMS = {
    "a label": ("id,label\n1,@\n2,@\n3,@\n", "cat", ["dog", "cat", "dog"], {}),
    "in the sample's order": ("id,label\n3,@\n1,@\n2,@\n", "cat", ["dog", "dog", "cat"], {}),
    "Windows line ends": ("id,label\r\n1,@\r\n2,@\r\n3,@\r\n", "cat", ["dog", "cat", "dog"], {}),
    "old Mac's": ("id,label\r1,@\r2,@\r3,@\r", "cat", ["dog", "cat", "dog"], {}),
    "no last line end": ("id,label\n1,@\n2,@\n3,@", "cat", ["dog", "cat", "dog"], {}),
    "ends of two kinds": ("id,label\r\n1,@\n2,@\r\n3,@\n", "cat", ["dog", "cat", "dog"], {}),
    "blank lines": ("\nid,label\n\n1,@\n2,@\n \n3,@\n\n\n", "cat", ["dog", "cat", "dog"], {}),
    "quotes": ('"id","label"\n"1","@"\n"2","@"\n"3","@"\n', "cat", ["dog", "cat", "dog"], {}),
    "quotes here and there": ('"id",label\n1,"@"\n"2",@\n3,@\n', "cat", ["dog", "cat", "dog"], {}),
    "space": ("id , label\n1, @ \n 2,\t@\n3,@\n", "cat", ["dog", "cat", "dog"], {}),
    "tabs": ("id\tlabel\n1\t@\n2\t@\n3\t@\n", "cat", ["dog", "cat", "dog"], {}),
    "no header": ("1,@\n2,@\n3,@\n", "cat", ["dog", "cat", "dog"], {}),
    "names with endings": ("img,label\n1.jpg,@\n3.jpg,@\n2.jpg,@\n", "cat", ["dog", "dog", "cat"], {}),
    "whole paths": ("img,label\ntest/2.jpg,@\ntest/1.jpg,@\n", "cat", ["cat", "dog"], {}),
    "numbers with zeros": ("img,label\n00002,@\n00001,@\n", "cat", ["cat", "dog"], {}),
    "the label before the id": ("label,id\n@,1\n@,2\n@,3\n", "cat", ["dog", "cat", "dog"], {}),
    "two columns of names": ("id,file,label\n2,2.jpg,@\n1,1.jpg,@\n", "cat", ["cat", "dog"], {}),
    "numbers as labels": ("id,label\n1,@\n2,@\n3,@\n", "0", ["1", "0", "1"], {"classes": ("0", "1")}),
    "the makers' labels": ("id,label\n1,@\n2,@\n", "c", ["d", "c"], {"entry": {"c": "cat", "d": "dog"}}),
    "nothing as labels": ("id,label\n1,@\n2,@\n3,@\n", "", ["dog", "cat", "dog"], {}),
    "a comma in a label": ("id,label\n1,@\n2,@\n", "cat", ['"dog, x"', "cat"], {"classes": ("cat", "dog, x")}),
    "a quote in a label": ('id,label\n1,"@"\n2,"@"\n', "cat", ['a ""b""', "cat"], {"classes": ("cat", 'a "b"')}),
    "probabilities": ("id,cat,dog\n1,@,@\n2,@,@\n3,@,@\n", "0.5", BOTH, {}),
    "probabilities in another order": ("id,dog,cat\n2,@,@\n", "0.5", ["0", "1"], {}),
    "probabilities in quotes": ('"id";"cat";"dog"\n"1";"@";"@"\n', "0.5", BOTH[:2], {}),
    "probabilities with commas": ("id;cat;dog\n1;@;@\n", "0,5", ["0,25", "0,75"], {}),
    "one probability": ("id,label\n1,@\n2,@\n3,@\n", "0.5", DOGS, {"classes": ("0", "1")}),
    "the probability that is named": ("id,p\n1,@\n2,@\n3,@\n", "0.5", DOGS,
                                      {"submission": {"sample": "s.csv", "probability": "dog"}}),
    "rows of a file from 1": ("ImageId,Label\n1,@\n2,@\n3,@\n", "cat", ["dog", "cat", "dog"],
                              {"pictures": ["test.csv#0", "test.csv#1", "test.csv#2"]}),
    "rows of a file from 0": ("ImageId,Label\n2,@\n0,@\n1,@\n", "cat", ["dog", "dog", "cat"],
                              {"pictures": ["test.csv#0", "test.csv#1", "test.csv#2"]}),
}  # fmt: skip


def filled(form, values):
    parts = form.split("@")
    return "".join(part + one for part, one in zip(parts, [*values, ""], strict=True))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_nothing_but_the_predictions_differs(name, encoding, tmp_path):
    form, placeholder, expected, settings = FORMS[name]
    written = fill(form.replace("@", placeholder).encode(encoding), tmp_path, **settings)
    assert written == filled(form, expected).encode(encoding)


@pytest.mark.parametrize("label", ["\u00fc", "\u20ac"])
def test_another_encoding_stays(tmp_path, label):
    data = f"id,label\n1,{label}\n2,x\n".encode("cp1252")
    assert fill(data, tmp_path, (label, "x")) == f"id,label\n1,x\n2,{label}\n".encode("cp1252")


def test_a_label_that_the_encoding_lacks_is_told(tmp_path):
    said = refusal(lambda: fill("id,\u00fc\n1,cat\n".encode("cp1252"), tmp_path, ("cat", "\u732b")))
    assert said.startswith("s.csv is CP1252, which lacks letters of a label ('1,\u732b'): save the sample as UTF-8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_no_table_is_written_without_sound_probabilities(tmp_path, bad):
    sample = understand(b"id,cat,dog\n1,0,0\n", make.entry(submission="s.csv"), ["cat", "dog"], PICTURES)
    found = Predictions(np.array([0]), np.ones(1, np.float32), np.array([[bad, 0.5]], np.float32))
    said = refusal(lambda: filled_sample.write(tmp_path / "out.csv", sample, found))
    assert "the predictions do not take the form of s.csv (line 2 holds" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "written",
    [
        "ID,label\n1,cat\n2,dog\n", "id,label\n2,cat\n1,dog\n", "id,label\n1,cat\n", "id,label\n1,cat\n2,cow\n",
        "id,label\n1,cat\n2,dog\n3,dog\n", "id,label\r\n1,cat\n2,dog\n", "id,label\n1,cat\n2,\n", "",
        "id;label\n1;cat\n2;dog\n", "id,label\n1,cat,0\n2,dog,0\n",
    ],
)  # fmt: skip
def test_what_differs_from_the_sample_is_found(written):
    text = b"id,label\n1,cat\n2,cat\n"
    sample = understand(text, make.entry(submission="s.csv"), ["cat", "dog"], PICTURES)
    filled_sample.check(b"id,label\n1,cat\n2,dog\n", sample)
    assert refusal(lambda: filled_sample.check(written.encode(), sample)) != ""


def test_probabilities_of_a_row_add_to_one(tmp_path):
    written = fill(b"id,cat,dog\n1,0,0\n2,0,0\n3,0,0\n", tmp_path).decode().splitlines()[1:]
    assert [sum(map(float, row.split(",")[1:])) for row in written] == pytest.approx([1, 1, 1], abs=1e-6)
