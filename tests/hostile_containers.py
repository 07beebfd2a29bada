"""Hostile containers: tables and arrays of pictures that are damaged, that lie, or that are made to do harm.

The cases are run by `hostile.check`, as those of tests/hostile.py are.
"""

import functools
import io
import os
import pickle
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import boxes, make
from tests.boxes import COUNT, LABELS
from tests.hostile import Case

HUGE = 10**12


def told(files, sentence, train, **entry):
    """A case that ends in a sentence."""
    return Case(functools.partial(make.zip_of, files), entry={"train": train} | entry, told=sentence)


def handled(files, train, images=COUNT, rejected=0, **entry):
    """A case that ends well."""
    return Case(functools.partial(make.zip_of, files), entry={"train": train} | entry, images=images, rejected=rejected)


def _csv():
    def one(content, sentence, **entry):
        return told({"t.csv": content}, sentence, "t.csv", **entry)

    good = boxes.csv().decode()
    pixels = boxes.grey().reshape(COUNT, -1)
    yield "no rows", one(good.splitlines()[0] + "\n", "holds no rows")
    yield "nothing", one("", "is empty")
    yield "blank lines alone", one("\n\n\n", "is empty")
    yield "UTF-16", one(good.encode("utf-16"), "no text in UTF-8")
    yield "one line without an end", one("1," * 2**24, "a line of more than")
    yield "a ragged row", one(good + "1,2,3\n", "Expected 65 columns, got 3")
    yield "a ragged first row", one(good.replace("\n", ",7\n", 2).replace(",7\n", "\n", 1), "line 2 has 66 columns")
    yield "a word among the pixels", one(boxes.csv([*pixels[:5], ["x"] * 64], LABELS[:6]), "invalid value 'x'")
    yield "an empty pixel", one(boxes.csv([*pixels[:5], [*pixels[0][:-1], ""]], LABELS[:6]), "lacks a number")
    yield "pixels of 12 bits", one(boxes.csv(pixels.astype(int) * 16), "range: [0, 4095]")
    yield "negative pixels", one(boxes.csv(pixels.astype(int) - 128), "whole numbers from 0 to 255")
    yield "pixels from 0 to 1", one(boxes.csv(np.round(pixels / 255, 3)), "range: [0, 1]")
    yield "pixels without end", one(boxes.csv([*pixels[:5], ["9" * 400] * 64], LABELS[:6]), "whole numbers from 0 to")
    yield "no square", one(boxes.csv(pixels[:, :60]), "rows of 60 numbers")
    yield "10,007 columns", one(boxes.csv(np.zeros((2, 10_007), int), [0, 1]), "rows of 10,007 numbers")
    yield "10,000 columns", handled({"t.csv": boxes.csv(np.tile(pixels[:, :50], 200))}, "t.csv")
    yield "200,000 columns", one(boxes.csv(np.zeros((1, 200_000), int), [0]), "pictures in a table may have 65,636")
    yield "no label that is known", one(boxes.csv(name="thing"), "which column is the label? it has 'thing'")
    yield "no header", one(boxes.csv(header=""), "it has no header")
    yield "two labels", one(boxes.csv().replace(b"pixel0,", b"class,"), "which column is the label?")
    yield "a label that is none", one(boxes.csv(labels=[x + 0.5 for x in LABELS]), "holds numbers, not classes")
    yield "labels missing", handled({"t.csv": boxes.csv(labels=[*LABELS[:10], "", ""])}, "t.csv", 10, 2)
    yield "a column that is not there", one(good, "has no column 'kind'", labels={"file": "t.csv", "label": "kind"})
    yield "a table of names", one("id,label\na.png,1\nb.png,2\n", "is no table of pixels")
    yield "Windows line ends", handled({"t.csv": boxes.csv(end="\r\n")}, "t.csv")
    yield "a mark of UTF-8", handled({"t.csv": b"\xef\xbb\xbf" + boxes.csv()}, "t.csv")
    yield (
        "ragged fields",
        one(
            boxes.field_csv() + b"0,1 2 3,Training\n",
            "and one 12 rows further 3",
            labels={"file": "t.csv", "label": "emotion"},
        ),
    )
    yield "a word in a field", one(boxes.field_csv().replace(b"\n1,", b"\n1,x ", 1), "wanted are rows of equally many")
    yield (
        "subsets of other words",
        one(
            boxes.field_csv(("A", "B")),
            "no picture",
            labels={"file": "t.csv", "label": "emotion", "split": "Usage"},
        ),
    )


def _idx():
    def one(content, sentence, **others):
        files = boxes.idx_files() | {"train-images-idx3-ubyte": content} | others
        return told(files, sentence, "train-images-idx3-ubyte")

    good = boxes.idx(boxes.grey())
    yield "nothing", one(b"", "does not begin as an idx file")
    yield "another format", one(b"GIF89a" * 9, "does not begin as an idx file")
    yield "cut in its head", one(good[:9], "cut short in its head")
    yield "cut in a picture", one(good[:-70], "its data end after 10")
    yield "more than it promises", one(good + b"\0", "its data go on")
    yield "no pictures", one(boxes.idx(boxes.grey(0)), "holds no pictures")
    many = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 8, 8) + good[16:]
    yield "4 billion pictures", one(many, "has 12 labels for 4,294,967,295 pictures")
    lying = {"train-labels-idx1-ubyte": struct.pack(">4BI", 0, 0, 8, 1, 2**32 - 1) + bytes(COUNT)}
    yield "4 billion pictures and labels", one(many, "its head promises 4294967295 numbers", **lying)
    endless = struct.pack(">4B3I", 0, 0, 8, 3, COUNT, 2**32 - 1, 2**32 - 1) + good[16:]
    yield "pictures without end", one(endless, "promises pictures of")
    yield "200 sides", one(struct.pack(">4B", 0, 0, 8, 200) + bytes(800), "does not begin as an idx file")
    yield "labels in place of pictures", one(boxes.idx(np.array(LABELS, np.uint8)), "holds 12 numbers and no pictures")
    few = {"train-labels-idx1-ubyte": boxes.idx(np.zeros(5, np.uint8))}
    yield "too few labels", one(good, "has 5 labels for 12 pictures", **few)
    yield (
        "labels that lie",
        one(good, "its head promises", **{"train-labels-idx1-ubyte": few["train-labels-idx1-ubyte"][:-1]}),
    )
    yield "no labels", told({"a-images-idx3-ubyte": good}, "has no file of labels beside it", "a-images-idx3-ubyte")
    yield "floats without a range", one(boxes.idx(boxes.grey().astype(">f4"), 13), "range: [0, 1]")
    packed = boxes.idx_files(packed=True)
    name = "train-images-idx3-ubyte.gz"
    yield "no gzip", told(packed | {name: good}, "is damaged or cut short", name)
    yield "a gzip cut short", told(packed | {name: packed[name][:-40]}, "is damaged or cut short", name)
    yield (
        "labels in a gzip cut short",
        told(packed | {"train-labels-idx1-ubyte.gz": packed["train-labels-idx1-ubyte.gz"][:-9]}, "is damaged", name),
    )


def _numpy():
    def one(arrays, sentence, train="x.npz", **entry):
        content = arrays if isinstance(arrays, bytes) else boxes.npz(**arrays)
        return told({train.partition("#")[0]: content}, sentence, train, **entry)

    grey, labels = boxes.grey(), np.array(LABELS)
    yield "no zip", one(b"PK" + bytes(100), "is damaged or cut short")
    yield "nothing", one(b"", "is damaged or cut short")
    yield "a zip without arrays", one(make.zip_of({"a.txt": b"1"}), "holds no arrays")
    yield "a zip cut short", one(boxes.npz()[:-60], "is damaged or cut short")
    yield "objects", one({"images": np.array([{1}, {2}], object)}, "holds Python objects")
    yield "no array of pictures", one({"names": labels}, "holds no array of pictures")
    yield "labels of several classes", one({"images": grey, "labels": np.ones((COUNT, 3), int)}, "gives several labels")
    yield "labels with fractions", one({"images": grey, "labels": labels + 0.5}, "holds numbers with fractions")
    yield "too few labels", one({"images": grey, "labels": labels[:5]}, "has 5 labels for 12")
    yield "two arrays of one name", one({"images": grey, "X": grey}, "would have the same pictures")
    yield "five sides", one({"images": np.zeros((2, 2, 2, 2, 3)), "labels": labels[:2]}, "pictures of shape 2x2x2x3")
    yield "two channels", one({"images": np.zeros((12, 8, 8, 2)), "labels": labels}, "pictures of shape 8x8x2")
    yield "no pixels", one({"images": np.zeros((12, 0, 8)), "labels": labels}, "pictures without pixels")
    yield "complex numbers", one({"images": grey.astype(complex), "labels": labels}, "are numbers or text")
    yield "no classes for floats", one({"images": grey / 255, "labels": labels}, "range: [0, 1]")
    yield "NaN", one({"images": grey * np.nan, "labels": labels}, "that are no numbers", range=[0, 1])
    yield "by columns", one({"images": np.asfortranarray(grey), "labels": labels}, "is stored by columns")
    yield "a part that is not there", one({"train_images": grey, "train_labels": labels}, "no picture", "x.npz#valid")
    lying = make.zip_of({"images.npy": _head((HUGE, 8, 8)) + grey.tobytes(), "labels.npy": boxes.npy(labels)})
    yield "10^12 pictures", one(lying, "has 12 labels for 1,000,000,000,000 pictures")
    yield (
        "10^12 pictures without labels",
        one(make.zip_of({"images.npy": _head((HUGE, 8, 8)) + grey.tobytes()}), "its data end after 12"),
    )
    yield "a picture of 10^12 pixels", one(make.zip_of({"images.npy": _head((1, HUGE, 1))}), "promises pictures of")
    yield (
        "10^12 labels",
        one(
            make.zip_of({"images.npy": boxes.npy(grey), "labels.npy": _head((HUGE,))}),
            "promises 1,000,000,000,000 bytes",
        ),
    )
    yield (
        "a head that is a program",
        one(make.zip_of({"images.npy": _npy_head("__import__('os').getcwd()")}), "does not begin as an array"),
    )
    yield "a head without end", one(make.zip_of({"images.npy": _npy_head("(" * 9000)}), "does not begin as an array")
    yield "an array alone, cut short", one(boxes.npy(grey)[:-8], "its data end after 11", "a.npy")
    yield "an array alone, of numbers", one(boxes.npy(labels), "holds no pictures", "a.npy")


def _npy_head(text):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def _head(shape):
    return _npy_head(repr({"descr": "|u1", "fortran_order": False, "shape": shape}) + "\n")


def _parquet():
    def one(content, sentence, **entry):
        return told({"t.parquet": content}, sentence, "t.parquet", **entry)

    good = boxes.parquet()
    yield "nothing", one(b"", "cannot be read as Parquet")
    yield "another format", one(make.picture(), "cannot be read as Parquet")
    yield "cut short", one(good[:-100], "cannot be read as Parquet")
    yield "its middle lost", one(good[:400] + bytes(len(good) - 900) + good[-500:], "cannot be read as Parquet")
    yield (
        "no rows",
        one(_table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int8())}), "holds no rows"),
    )
    yield "a table of labels", one(_table({"name": ["a", "b"], "label": [0, 1]}), "holds no column of bytes")
    yield "two columns of bytes", one(_table({"a": [b"1"], "b": [b"2"], "label": [0]}), "several columns of bytes")
    yield "no label", one(_table({"image": [make.picture()], "thing": [1]}), "which column is the label?")
    yield "a label beyond the names", one(boxes.parquet(names=["cat"]), "names 1 class")
    yield (
        "rows without bytes",
        handled(
            {"t.parquet": _table({"image": [*(make.picture(x) for x in range(10)), None, b""], "label": LABELS})},
            "t.parquet",
            10,
            2,
        ),
    )
    yield (
        "files that are no pictures",
        handled(
            {
                "t.parquet": _table(
                    {"image": [*(make.picture(x) for x in range(10)), b"x", b"\xff\xd8"], "label": LABELS}
                )
            },
            "t.parquet",
            10,
            2,
        ),
    )
    yield "labels that are lists", one(_table({"image": [make.picture()], "label": [[1, 2]]}), "where a label")
    yield (
        "metadata that is no JSON",
        handled(
            {"t.parquet": _table({"image": [make.picture(x) for x in range(COUNT)], "label": LABELS}, b"{" * 9999)},
            "t.parquet",
        ),
    )
    yield "names that are none", handled({"t.parquet": boxes.parquet(names=[{}, 7])}, "t.parquet")


def _table(columns, meta=None):
    file = io.BytesIO()
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({"huggingface": meta}) if meta else table, file)
    return file.getvalue()


class _Harm:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def _cifar():
    def one(content, sentence, meta=None, **entry):
        files = {"b/data_batch_1": content} | ({"b/batches.meta": meta} if meta else {})
        return told(files, sentence, "b/data_batch_1", **entry)

    yield "a program", one(pickle.dumps(_Harm(os.system, "touch harm"), 2), "which no array needs")
    yield "a program among the keys", one(boxes.batch(extra=_Harm(os.system, "touch harm")), "which no array needs")
    yield "a call of eval", one(boxes.batch(labels=_Harm(eval, "1")), "which no array needs")
    yield "a program in the names", one(boxes.batch(), "which no array needs", pickle.dumps(_Harm(os.getcwd), 2))
    yield "an array of objects", one(boxes.batch(data=np.array([{1}], object)), "something else than numbers")
    yield "cut short", one(boxes.batch()[:-200], "is no pickle of arrays")
    yield "its mark alone", one(b"\x80\2", "is no pickle of arrays")
    yield "no dict", one(pickle.dumps([1, 2], 2), "holds no dict")
    yield "no pixels", one(boxes.batch(data=None), "no rows under the key")
    yield "no labels", one(boxes.batch(labels=None), "has no labels")
    yield "too few labels", one(boxes.batch(labels=[1]), "has 1 label for 12")
    yield "lists for labels", one(boxes.batch(labels=[[1, 2]] * COUNT), "no list of labels")
    yield "labels beyond the names", one(boxes.batch(labels=[7] * COUNT), "names 2 classes", boxes.meta())
    yield "rows of no square", one(boxes.batch(data=np.zeros((COUNT, 3071), np.uint8)), "rows of 3,071 numbers")
    yield "an array that lies", one(_lying(), "not as many numbers as it promises")
    yield "lists without end", one(b"\x80\2" + b"(" * 10_000 + b".", "more than 100 deep")
    yield "a text of 4 GB", one(b"\x80\2B" + struct.pack("<I", 2**32 - 1) + b"x.", "is no pickle of arrays")
    yield "a place of 4 billion", one(b"\x80\2]r" + struct.pack("<I", 2**32 - 1) + b".", "holds no dict")
    yield "a tuple of tuples", one(b"\x80\2})" + b"\x85" * 500_000 + b"K\1s.", "is no text")
    yield (
        "labels that are not there",
        one(boxes.batch(), "has no labels called 'fine'", labels={"file": "b/data_batch_1", "label": "fine"}),
    )


def _lying():
    """A batch whose array promises 10^12 rows."""
    content = boxes.batch()
    return content.replace(b"K\x0cK\xc0\x86", b"\x8a\x06" + HUGE.to_bytes(6, "little") + b"K\xc0\x86")


def cases():
    """All cases by name."""
    kinds = {"csv": _csv, "idx": _idx, "numpy": _numpy, "parquet": _parquet, "cifar": _cifar}
    return {f"{kind}: {name}": case for kind, made in kinds.items() for name, case in made()}
