import json

import numpy as np
import pytest

from darkroom.base import paths
from darkroom.dataset import packed
from stages import entry, extract, fetch, split, stats
from tests import make


def test_only_the_training_images_count(project):
    project.add(path="x")
    bright = np.full((8, 8, 1), 255, np.uint8)
    files = make.pictures(("cat", "dog"), each=10)
    project.archive(make.zip_of(files))
    for stage in (entry, fetch, extract, split):
        stage.main()
    images, train = np.load(paths.IMAGES), packed.load_split("train")
    expected = images[train].mean() / 255
    others = np.setdiff1d(np.arange(20), train)
    images[others] = bright
    np.save(paths.IMAGES, images)
    stats.main()
    found = json.loads(paths.STATS.read_text(encoding="utf-8"))
    assert found["mean"] == [pytest.approx(expected, abs=1e-6)]
    assert found["std"] == [pytest.approx(images[train].std() / 255, abs=1e-6)]


@pytest.mark.slow
def test_mnist_has_its_well_known_figures(project, archives):
    project.set(dataset="mnist", fetch__archive={"mnist": str(archives / "mnistasjpg.zip")})
    for stage in (entry, fetch, extract, split, stats):
        stage.main()
    found = json.loads(paths.STATS.read_text(encoding="utf-8"))
    assert found["mean"][0] == pytest.approx(0.1307, abs=0.002)
    assert found["std"][0] == pytest.approx(0.3081, abs=0.005)
