"""Tiny pictures, archives and catalogue entries, made on the fly."""

import io
import tarfile
import zipfile

import numpy as np
import pandas as pd
from PIL import Image

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_json, write_parquet
from darkroom.config.catalogue import Entry
from darkroom.config.yaml_files import dump, read_yaml


def pixels(height=8, width=8, channels=1, seed=0):
    """Random pixels, height x width x channels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height=32, width=32, channels=3):
    """Pixels that change slowly, so that a lossy format keeps them nearly."""
    y, x = np.mgrid[:height, :width]
    planes = [255 * x // max(1, width - 1), 255 * y // max(1, height - 1), 255 - 255 * x // max(1, width - 1)]
    return np.stack(planes[:channels], axis=-1).astype(np.uint8)


def encode(image, form="PNG", **options):
    """A picture file. `image` is an array or a Pillow image."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def picture(seed=0, height=8, width=8, channels=1, form="PNG", **options):
    """A picture file of random pixels."""
    return encode(pixels(height, width, channels, seed), form, **options)


def zip_of(files, method=zipfile.ZIP_DEFLATED):
    """A zip of `files`, a mapping or pairs of path and content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        for path, content in _pairs(files):
            packed.writestr(zipfile.ZipInfo(path), content, compress_type=method)
    return file.getvalue()


def tar_of(files, compression="", form=tarfile.PAX_FORMAT):
    """A tar of `files`, a mapping or pairs of path and content; `compression` is gz, bz2, xz or nothing."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{compression}", format=form) as packed:
        for path, content in _pairs(files):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _pairs(files):
    return files.items() if isinstance(files, dict) else files


def pictures(classes=("cat", "dog"), each=10, folder="train/", seed=0, height=8, width=8, channels=1, form="PNG"):
    """Picture files by path, `each` of them in the folder of each class, all different."""
    files = {}
    for label in classes:
        for number in range(each):
            content = picture(seed * 1_000_003 + len(files), height, width, channels, form)
            files[f"{folder}{label}/{number}.{form.lower()}"] = content
    return files


def entry(**changes):
    """A catalogue entry; give None to leave a key out."""
    settings = {"path": "archive.zip", "train": "train", "channels": 1, "image_size": 8} | changes
    return Entry.model_validate({key: value for key, value in settings.items() if value is not None})


def index_of(labels, hashes=None, subsets=None):
    """The index of a data set with these labels, as `dataset.load_index` gives it."""
    count = len(labels)
    return pd.DataFrame(
        {
            "row": pd.array(range(count), dtype="Int64"),
            "path": pd.array([f"train/{row}.png" for row in range(count)], dtype="string"),
            "label": pd.array(labels, dtype="Int32"),
            "subset": pd.array(subsets or ["train"] * count, dtype="string"),
            "sha256": pd.array([str(value) for value in (hashes or range(count))], dtype="string"),
            "width": pd.array([8] * count, dtype="Int32"),
            "height": pd.array([8] * count, dtype="Int32"),
            "channels": pd.array([1] * count, dtype="Int8"),
        }
    )


def packed(images, labels, splits, classes):
    """Put a packed and split data set into the working folder, as `extract` and `split` leave it."""
    write_json(paths.CLASSES, classes)
    np.save(paths.IMAGES, images)
    write_parquet(paths.INDEX, index_of(labels))
    write_parquet(paths.SPLIT, pd.DataFrame({"row": range(len(splits)), "split": splits}))


def refusal(action):
    """The sentence of the UserError in which `action` ends; None if it ends well."""
    try:
        action()
    except UserError as error:
        return str(error)
    return None


def is_one_line(text):
    return len(text.splitlines()) == 1 and bool(text.strip())


def edit(path, changes):
    """Change keys of a YAML file, given as dotted keys; a key set to `...` is removed."""
    content = read_yaml(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    path.write_text(dump(content), encoding="utf-8")


def tied(index, groups=None):
    """The index with a group for each image, None for none, and a hash of each file, all different."""
    return index.assign(
        group=pd.array(groups or [None] * len(index), dtype="string"),
        file_sha256=pd.array([f"file {row}" for row in index["row"]], dtype="string"),
    )
