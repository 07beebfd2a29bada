"""Hostile JSON, COCO, Parquet and MATLAB tables."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import savemat

from tests.hostile_tables import LABELS, PICTURES, handled, told

RECORDS = [{"image": name, "label": label} for name, label in LABELS.items()]
NAMED = {"file": "t.json", "image": "image", "label": "label"}
COCO = {
    "images": [{"id": n, "file_name": name} for n, name in enumerate(LABELS)],
    "annotations": [{"image_id": n, "category_id": int(label == "dog")} for n, label in enumerate(LABELS.values())],
    "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
}


def _json():
    def ends(content, sentence="", name="t.json", labels=None, **come):
        content = content if isinstance(content, str | bytes) else json.dumps(content)
        labels = labels or NAMED | {"file": name}
        return told({name: content}, sentence, labels) if sentence else handled({name: content}, labels, **come)

    yield "records", ends(RECORDS)
    yield "records by line", ends("\n".join(map(json.dumps, RECORDS)), name="t.jsonl")
    yield "an object of labels", ends(LABELS, labels="t.json")
    yield "an object of records", ends({name: {"label": label} for name, label in LABELS.items()})
    whole = json.dumps(RECORDS)
    for tenth in range(1, 10, 2):
        yield f"cut at {tenth} tenths", ends(whole[: len(whole) * tenth // 10], "is no JSON")
    yield "nothing", ends("", "is no JSON")
    for content in ("null", "1", '"a"', "true"):
        yield content, ends(content, "holds a single value")
    for content in ("[]", "{}", "[{}]", "[{}, {}]"):
        yield content, ends(content, "holds no rows")
    yield "a list of lists", ends([[1, 2], [3]], "record 1, is no record")
    yield "records and words", ends([*RECORDS, "x"], "record 13, is no record")
    yield "an object of lists", ends({"image": ["a"], "label": ["b"]}, "is an object with 'image', 'label'")
    yield "nulls among records", ends([*RECORDS, None], "record 13, is no record")
    for depth in (500, 900, 2000, 100_000):
        deep = f"{whole[:-1]}, " + '{"image": "x", "label": ' + "[" * depth + "]" * depth + "}]"
        yield f"{depth} lists in one another", ends(deep, *(["nested too deeply"] if depth > 900 else []))
    yield "numbers of thousands of digits", ends(f'[{{"image": {"9" * 5000}}}]', "a number of thousands of digits")
    yield "numbers without end", ends([{"image": name, "label": 1e999} for name in LABELS], "1 class")
    yield "no numbers", ends([{"image": name, "label": float("nan")} for name in LABELS], "gives no label")
    yield "half a character", ends(whole.replace('"dog"', '"d\\ud800g"'))
    yield "a NUL in a label", ends(whole.replace('"dog"', '"\\u0000dog"'), "NUL")
    yield "a NUL in a column", ends(whole.replace('"label"', '"\\u0000label"'), "NUL")
    yield (
        "lists as labels",
        ends([{**one, "label": ["cat", one["label"]]} for one in RECORDS], "several labels a picture"),
    )
    yield "records as labels", ends([{**one, "label": {"a": one["label"]}} for one in RECORDS])
    yield "truths as labels", ends([{**one, "label": one["label"] == "dog"} for one in RECORDS])
    yield (
        "fractions as labels",
        ends([{**one, "label": 0.5 + n} for n, one in enumerate(RECORDS)], "numbers, not classes"),
    )
    yield "a column of blanks around", ends([{" image ": one["image"], "label\t": one["label"]} for one in RECORDS])
    yield "two columns of one name with blanks", ends([one | {" label": "x"} for one in RECORDS], "two columns called")
    yield "30,000 columns", ends([*RECORDS, {f"c{n}": 1 for n in range(30_000)}], "30,002 columns")
    yield "one key twice", ends(whole.replace("{", '{"label": "x", '))
    yield "comments", ends("// a\n" + whole, "is no JSON")
    yield "UTF-16", ends(whole.encode("utf-16"))
    yield "two texts", ends(whole + whole, "is no JSON")
    yield "records by line, one cut", ends("\n".join(map(json.dumps, RECORDS))[:-3], "line 12, is no JSON", "t.jsonl")
    yield "records by line of CR", ends("\r".join(map(json.dumps, RECORDS)), name="t.jsonl")


def _coco():
    def changed(**parts):
        return json.dumps(COCO | parts)

    labels = {"file": "t.json", "image": "file_name", "label": "category"}
    yield "as it should be", handled({"t.json": changed()}, labels)
    odd = {
        "no images": {"images": []},
        "images of no id": {"images": [{"file_name": "0.png"}]},
        "images of no name": {"images": [{"id": 1}]},
        "images that are words": {"images": ["0.png"]},
        "images that are an object": {"images": {"a": 1}},
        "images that are nothing": {"images": None},
        "categories of no id": {"categories": [{"name": "cat"}]},
        "no categories": {"categories": []},
        "annotations of an unknown category": {"annotations": [{"image_id": 0, "category_id": 7}]},
        "annotations that are a number": {"annotations": 7},
    }
    for name, parts in odd.items():
        yield name, told({"t.json": changed(**parts)}, "t.json ", labels)
    texts = [{"id": str(one["id"]), "name": one["name"]} for one in COCO["categories"]]
    yield "ids as texts", handled({"t.json": changed(categories=texts)}, labels)
    floats = [{**one, "category_id": float(one["category_id"])} for one in COCO["annotations"]]
    yield "ids with points", handled({"t.json": changed(annotations=floats)}, labels)
    lists = [{"id": [n], "file_name": name} for n, name in enumerate(LABELS)]
    annotations = [{**one, "image_id": [one["image_id"]]} for one in COCO["annotations"]]
    yield "ids that are lists", handled({"t.json": changed(images=lists, annotations=annotations)}, labels)
    yield (
        "several categories an image",
        told(
            {"t.json": changed(annotations=[*COCO["annotations"], {"image_id": 0, "category_id": 1}])},
            "several labels a picture",
            labels,
        ),
    )
    yield (
        "one category many times an image",
        handled({"t.json": changed(annotations=COCO["annotations"] * 500)}, labels),
    )
    yield (
        "annotations of no image",
        handled({"t.json": changed(annotations=[*COCO["annotations"], {"image_id": 99, "category_id": 1}])}, labels),
    )
    yield (
        "images of no annotation",
        handled({"t.json": changed(annotations=COCO["annotations"][1:])}, labels, images=11, rejected=1),
    )
    yield (
        "two images of one id",
        handled({"t.json": changed(images=[*COCO["images"], {"id": 3, "file_name": "x.png"}])}, labels),
    )
    one_id = [{"id": 0, "name": "cat"}, {"id": 0, "name": "dog"}]
    yield "two categories of one id", told({"t.json": changed(categories=one_id)}, "t.json ", labels)
    one_name = [{"id": 0, "name": "cat"}, {"id": 1, "name": "cat"}]
    yield "two categories of one name", told({"t.json": changed(categories=one_name)}, "1 class (cat)", labels)
    no_name = [{"id": 0}, {"id": 1, "name": "dog"}]
    yield "a category of no name", handled({"t.json": changed(categories=no_name)}, labels | {"label": "category_id"})
    none = [{"id": None, "file_name": name} for name in LABELS]
    yield "ids that are nothing", told({"t.json": changed(images=none)}, "t.json gives no label", labels)


def parquet(**columns):
    file = io.BytesIO()
    table = pa.table({"image": list(LABELS), "label": list(LABELS.values())} | columns)
    pq.write_table(table, file)
    return file.getvalue()


def _parquet():
    labels = NAMED | {"file": "t.parquet"}

    def ends(content, sentence="", **come):
        return (
            told({"t.parquet": content}, sentence, labels)
            if sentence
            else handled({"t.parquet": content}, labels, **come)
        )

    whole = parquet()
    yield "as it should be", ends(whole)
    for tenth in range(0, 10, 3):
        yield f"cut at {tenth} tenths", ends(whole[: len(whole) * tenth // 10], "cannot be read as Parquet")
    yield "its head alone", ends(whole[:4] * 2, "cannot be read as Parquet")
    yield "a wrong length of its foot", ends(whole[:-8] + b"\xff\xff\xff\x7fPAR1", "cannot be read as Parquet")
    yield "no rows", ends(_written(pa.table({"image": pa.array([], pa.string())})), "holds no rows")
    yield "no columns", ends(_written(pa.table({})), "holds no rows")
    yield "lists as labels", ends(parquet(label=[["cat"]] * 12), "has a column 'label' of lists or records")
    yield "bytes as labels", ends(parquet(label=[b"cat"] * 12), "has a column 'label' of bytes")
    yield "numbers as labels", ends(parquet(label=[n % 2 for n in range(12)]))
    yield "fractions as labels", ends(parquet(label=[n / 2 for n in range(12)]), "holds numbers, not classes")
    yield (
        "whole floats and none",
        ends(parquet(label=[float("nan"), *[float(n % 2) for n in range(11)]]), images=11, rejected=1),
    )
    yield "nulls as labels", ends(parquet(label=pa.nulls(12)), "gives no label")
    kinds = {
        "halves": pa.array(np.arange(12, dtype=np.float16) % 2),
        "decimals": pa.array([n % 2 for n in range(12)]).cast(pa.decimal128(24, 2)),
        "dates": pa.array([n % 2 for n in range(12)], pa.date32()),
        "times": pa.array([n % 2 for n in range(12)], pa.timestamp("us", tz="Europe/Berlin")),
        "durations": pa.array([n % 2 for n in range(12)], pa.duration("s")),
        "truths": pa.array([n % 2 == 0 for n in range(12)]),
        "large texts": pa.array(list(LABELS.values()), pa.large_string()),
        "categories": pa.array(list(LABELS.values())).dictionary_encode(),
    }
    for name, column in kinds.items():
        yield f"{name} as labels", ends(parquet(label=column))
    yield "a NUL in a label", ends(parquet(label=["\0dog" if n % 2 else "cat" for n in range(12)]), "NUL")
    yield (
        "two columns of one name",
        ends(_written(pa.table([pa.array(["a"])] * 2, names=["image", "image"])), "two columns called 'image'"),
    )
    yield "bytes that are no text", ends(_bad_text(), "cannot be read as Parquet")
    yield "a CSV named so", ends(b"image,label\n0.png,cat\n", "cannot be read as Parquet")


def _written(table):
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _bad_text():
    """A column that says it is UTF-8 and is not."""
    words = [b"c\xff\xfet" if label == "cat" else b"dog" for label in LABELS.values()]
    column = pa.array(words, pa.binary()).view(pa.string())
    return _written(pa.table({"image": list(LABELS), "label": column}))


def mat(**variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def _matlab():
    def ends(content, sentence="", part="", **come):
        labels, files = f"l.mat{part}", {"l.mat": content, **numbered}
        if sentence:
            return told(files, sentence, labels, train="n")
        return handled(files, labels, train="n", **come)

    numbered = {f"n/image_{n + 1:05}.png": one for n, one in enumerate(PICTURES.values())}
    numbered |= dict.fromkeys(PICTURES)
    vector = np.arange(12) % 2 + 1
    whole = mat(labels=vector)
    yield "as it should be", ends(whole)
    yield "its part by name", ends(mat(labels=vector, other=vector), part="#labels")
    yield "two vectors", ends(mat(labels=vector, other=vector), "holds 2 vectors of numbers")
    yield "a part that is not there", ends(whole, "has no vector of numbers 'x'", "#x")
    for name, part in {"an endless name": "#" + "x" * 300_000, "a NUL": "#a\0b", "dashes": "#--help"}.items():
        yield f"a part of {name}", ends(whole, "has no vector of numbers", part)
    for tenth in (0, 5, 9):
        yield f"cut at {tenth} tenths", ends(whole[: len(whole) * tenth // 10], "cannot be read as a MATLAB file")
    yield "zeros", ends(bytes(5000), "cannot be read as a MATLAB file")
    yield "a head without variables", ends(whole[:128], "holds 0 vectors")
    yield "version 7.3", ends(whole[:124] + b"\0\2IM" + bytes(400), "of version 7.3 (HDF5)")
    yield "a matrix", ends(mat(labels=np.eye(12)), "holds 0 vectors")
    yield "an empty vector", ends(mat(labels=np.zeros(0)), "l.mat")
    yield "texts", ends(mat(labels="cat"), "holds 0 vectors")
    yield "fractions", ends(mat(labels=vector / 4), "holds numbers, not classes")
    yield "numbers of no end", ends(mat(labels=vector * np.inf), "1 class")
    yield "a vector too short", ends(mat(labels=vector[:11]), images=11, rejected=1)
    yield "30 million numbers", ends(mat(labels=np.zeros(30_000_000, np.uint8)), "has 30,000,000 numbers")


def cases():
    for kind, part in {"JSON": _json, "COCO": _coco, "Parquet": _parquet, "MATLAB": _matlab}.items():
        for name, case in part():
            yield f"{kind}: {name}", case
