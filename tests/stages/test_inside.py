import json
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

import darkroom
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_json
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset import packed
from stages import inside
from tests import make
from tests.models import SETTINGS, blobs, classifier, facts


def prepare(project, shape=(8, 8, 1), classes=3, count=60, unlabeled=0, **settings):
    """A project whose data set and trained model lie there; the model has random weights."""
    project.set(tracking__enabled=False)
    project.add(path="x", channels=shape[2], image_size=list(shape[:2]))
    for folder in (paths.DATA, paths.WEIGHTS.parent, paths.STATS.parent):
        folder.mkdir(parents=True, exist_ok=True)
    images, labels = blobs(count + unlabeled, classes)
    images = np.repeat(np.resize(images, (len(images), *shape[:2], 1)), shape[2], axis=3)
    ours = classifier(shape, classes, **settings)
    np.save(paths.IMAGES, images)
    index = make.index_of([*labels[:count], *[None] * unlabeled], subsets=["train"] * count + ["unlabeled"] * unlabeled)
    index["path"] = [f"new/img_{row}.png" if row >= count else f"train/{row}.png" for row in range(len(index))]
    index.to_parquet(paths.INDEX)
    write_json(paths.CLASSES, ours.classes)
    split = np.array(["train", "train", "train", "val", "test"])[np.arange(count) // classes % 5]
    pd.DataFrame({"row": range(count), "split": split}).to_parquet(paths.SPLIT)
    chosen = np.flatnonzero(split != "train")
    found = ours.probabilities(images[chosen]).argmax(axis=1)
    pd.DataFrame({"row": chosen, "split": split[chosen], "label": labels[chosen], "predicted": found}).to_parquet(
        paths.PREDICTIONS
    )
    write_json(paths.MODEL, facts(shape, ours.classes, model=SETTINGS | settings))
    save_file({name: value.contiguous() for name, value in ours.network.state_dict().items()}, paths.WEIGHTS)
    return images, labels


PICTURES = {"filters.png", "kernels.png", "activations.png", "dead.png", "map.png"}


@pytest.mark.parametrize(
    ("shape", "settings", "missing"),
    [
        ((8, 8, 1), {}, []),
        ((8, 10, 3), {"activation": "gelu", "hidden": [6]}, []),
        ((8, 8, 3), {"activation": "tanh", "layers": "4"}, ["dead.png", "kernels.png"]),
        ((8, 8, 1), {"name": "mlp", "hidden": [12, 6]}, ["kernels.png", "activations.png"]),
        ((8, 8, 1), {"name": "mlp"}, ["kernels.png", "activations.png", "dead.png"]),
        ((32, 32, 1), {"name": "mobilenet_v2"}, []),
        pytest.param((32, 32, 1), {"name": "vit_b_16"}, ["kernels.png"], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_what_does_not_apply_is_left_out_with_a_sentence(project, capsys, shape, settings, missing):
    prepare(project, shape, count=30, **settings)
    inside.main()
    assert {path.name for path in paths.INSIDE_PICTURES.iterdir()} == PICTURES - set(missing)
    figures = json.loads(paths.INSIDE.read_text())
    assert set(figures["left_out"]) == set(missing)
    assert 0 <= figures["accuracy"]["nearest_neighbours"] <= 1
    printed = capsys.readouterr().out
    assert all(f"left out {name}: " in printed for name in missing)
    assert darkroom.Classifier.load(paths.MODEL.parent).familiarity is not None


def test_large_images_are_looked_at_in_parts(project, monkeypatch):
    """All reference images at once, and four times as much for their extent, would take gigabytes."""
    images, _ = prepare(project)
    inside.main()
    whole = json.loads(paths.INSIDE.read_text())
    monkeypatch.setattr(packed, "CHUNK_BYTES", 5 * images[0].nbytes)
    seen = []
    features = TrainedNetwork.features
    monkeypatch.setattr(TrainedNetwork, "features", lambda ours, part: seen.append(len(part)) or features(ours, part))
    inside.main()
    assert max(seen) == 5
    assert json.loads(paths.INSIDE.read_text()) == whole


def test_a_second_run_gives_the_same_bytes(project):
    prepare(project)
    files = [paths.INSIDE, paths.FAMILIARITY]
    for place in ("first", "second"):
        inside.main()
        kept = project.folder / place
        shutil.copytree(paths.INSIDE_PICTURES, kept)
        for file in files:
            shutil.copy(file, kept)
    for file in (project.folder / "first").iterdir():
        assert file.read_bytes() == (project.folder / "second" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(("key", "value"), [("layer", "conv9"), ("maps", ["features.conv1"])])
def test_an_unknown_layer_is_refused_before_anything_is_written(project, key, value):
    prepare(project)
    project.set(**{f"inside__{key}": value})
    with pytest.raises(UserError, match=f"inside.{key}.*features"):
        inside.main()
    assert not paths.INSIDE_PICTURES.exists()


def test_the_model_judges_what_is_unlike_and_says_why(project):
    images, _ = prepare(project)
    before = darkroom.Classifier.load(paths.MODEL.parent).predict(images[0])[0]
    assert (before.unlike, before.reasons) == (None, [])
    inside.main()
    ours = darkroom.Classifier.load(paths.MODEL.parent)
    usual, inverted = ours.predict([images[0], 255 - images[0]])
    mended = ours.predict(255 - images[0], invert="always")[0]
    assert usual.unlike < 1.2
    assert inverted.unlike > 1
    assert "--invert auto" in inverted.reasons[0]
    kept, chosen = ours.predict([images[0], 255 - images[0]], invert="auto")
    assert (kept.inverted, chosen.inverted, mended.inverted) == (False, True, True)
    assert (chosen.unlike, chosen.reasons) == (pytest.approx(usual.unlike, rel=1e-5), [])
    for same in (mended, before, kept, chosen):
        assert same.probabilities == pytest.approx(usual.probabilities, abs=1e-6)
