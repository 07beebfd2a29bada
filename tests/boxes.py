"""Tiny containers, made on the fly: files of many formats that hold the same pictures and labels."""

import gzip
import io
import json
import pickle
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import make

COUNT = 12
LABELS = [number % 2 for number in range(COUNT)]
NAMES = ["cat", "dog"]


def grey(count=COUNT, side=8, seed=0):
    """Pictures, count x side x side, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def colour(count=COUNT, side=8, seed=0):
    """Pictures whose pixels change slowly, count x side x side x 3, uint8."""
    shift = np.random.default_rng(seed).integers(0, 40, (count, 1, 1, 3))
    return (make.smooth(side, side).astype(int) // 2 + shift).astype(np.uint8)


def csv(rows=None, labels=LABELS, header=None, name="label", end="\n"):
    """A CSV of pixels, the label first where there are labels."""
    rows = grey().reshape(COUNT, -1) if rows is None else rows
    names = [name] * (labels is not None) + [f"pixel{place}" for place in range(len(rows[0]))]
    lines = [",".join(names) if header is None else header] if header != "" else []
    for number, row in enumerate(rows):
        cells = [*([] if labels is None else [labels[number]]), *(row.tolist() if isinstance(row, np.ndarray) else row)]
        lines.append(",".join(map(str, cells)))
    return (end.join(lines) + end).encode()


def field_csv(usage=("Training", "Training", "PublicTest", "PrivateTest"), side=8):
    """As fer2013.csv: emotion, pixels in one field, Usage."""
    lines = ["emotion,pixels,Usage"]
    for number, image in enumerate(grey(COUNT, side)):
        pixels = " ".join(map(str, image.ravel()))
        lines.append(f"{LABELS[number]},{pixels},{usage[number % len(usage)]}")
    return "\n".join([*lines, ""]).encode()


def idx(array, kind=8):
    """An idx file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def idx_files(prefix="train", packed=False):
    """Pictures and labels beside them, by path."""
    files = {
        f"{prefix}-images-idx3-ubyte": idx(grey()),
        f"{prefix}-labels-idx1-ubyte": idx(np.array(LABELS, np.uint8)),
    }
    return {f"{path}.gz": gzip.compress(one) for path, one in files.items()} if packed else files


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(packed=False, **arrays):
    arrays = arrays or {"train_images": grey(), "train_labels": np.array(LABELS, np.uint8).reshape(-1, 1)}
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def parquet(rows=None, names=NAMES, **options):
    """As Hugging Face writes it."""
    if rows is None:
        rows = [
            {"image": {"bytes": make.picture(number, channels=3), "path": f"{number}.png"}, "label": LABELS[number]}
            for number in range(COUNT)
        ]
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    meta = {"huggingface": json.dumps({"info": {"features": features}})} if names else {}
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(meta), file, **options)
    return file.getvalue()


def batch(protocol=2, **keys):
    """A batch of CIFAR's form: rows of 3 x 8 x 8."""
    given = {"data": colour().transpose(0, 3, 1, 2).reshape(COUNT, -1), "labels": LABELS} | keys
    held = {key.encode(): value for key, value in given.items() if value is not None}
    return pickle.dumps(held, protocol)


def meta(**keys):
    return pickle.dumps({b"label_names": [name.encode() for name in NAMES]} | keys, 2)
