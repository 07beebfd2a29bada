"""In one run no frozen feature is computed twice: the bar, the head, evaluation, errors and `inside` share them."""

import numpy as np
import torch
from torchvision import models as torchvision_models

from darkroom.base import paths
from darkroom.base.files import remove
from darkroom.network.frozen_features import FrozenBody
from stages import audit, baseline, entry, errors, evaluate, extract, fetch, inside, pretrained, split, stats, train
from tests import make

BEFORE = (entry, fetch, extract, audit, split, stats, pretrained)
USING = (baseline, train, evaluate, errors, inside)


def test_no_feature_is_computed_twice_and_the_bytes_are_those_without_any_kept(project, monkeypatch, tmp_path):
    torch.manual_seed(0)
    torch.save(torchvision_models.mobilenet_v3_small().state_dict(), tmp_path / "weights.pt")
    project.add(path="x", channels=3, image_size=32)
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 150, (2, 20, 32, 32, 3)).astype(np.uint8)
    pictures[1, ..., 0] += 100
    files = {
        f"train/{label}/{at}.png": make.encode(one)
        for label, own in zip("ab", pictures, strict=True)
        for at, one in enumerate(own)
    }
    project.archive(make.zip_of(files))
    project.set(
        model__name="mobilenet_v3_small", model__weights=str(tmp_path / "weights.pt"), train__freeze_epochs=2,
        train__epochs=2, tracking__enabled=False, train__precision="32",
    )  # fmt: skip
    computed: list[bytes] = []
    compute = FrozenBody._compute

    def counting(self, hashes, images):
        computed.extend(hashes)
        compute(self, hashes, images)

    monkeypatch.setattr(FrozenBody, "_compute", counting)
    for stage in (*BEFORE, *USING):
        stage.main()
    assert len(computed) == len(set(computed)) == 40
    outputs = (paths.BASELINE, paths.WEIGHTS, paths.MODEL, paths.EVALUATE, paths.PREDICTIONS)
    first = [path.read_bytes() for path in outputs]
    for stage in USING[:3]:
        remove(paths.features())  # before each: nothing is kept
        stage.main()
    assert [path.read_bytes() for path in outputs] == first
