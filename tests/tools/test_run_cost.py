from types import SimpleNamespace

import pytest

from darkroom.config.catalogue import checked
from darkroom.config.params import load
from darkroom.tools import recipe_rules, run_cost
from darkroom.tools.entry_draft import Sample
from tests.tools.drafts import ENTRY, draft


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of known speed."""
    monkeypatch.setattr(run_cost, "seconds_a_megapixel", lambda: 0.01)
    monkeypatch.setattr(run_cost, "operations_a_second", lambda: 0.75e9)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(run_cost.psutil, "virtual_memory", lambda: SimpleNamespace(available=7 * 10**9))


def lines(found, **settings):
    return "\n".join(run_cost.cost(found, "mine", checked("mine", {"path": "a.zip"} | ENTRY | settings)))


def test_the_cost_is_said_as_an_estimate(project):
    samples = (Sample("train", "a", 1000, ()), Sample("test", "a", 1, ()), Sample("val", "a", 1, ()))
    said = lines(
        draft(pictures=1000, megapixels=2.0, samples=samples), recipe={"train.epochs": 10, "model.layers": "8P-16"}
    )
    # 9 x (64 x 64 x 3 x 8 + 32 x 32 x 8 x 16) multiplications, 6 operations each, 10,000 times, 1e9 a second;
    # twice 32 x (64 x 64 x 8 x 4 + 32 x 32 x 8 x 16 + 32 x 32 x 16 x 8) bytes
    assert said == (
        "a run: 1,000 images, 12.3 MB in data/images/images.npy\n"
        "  estimated for this processor: about 10 s to decode,\n"
        "  about 2.1 min to train (10 epochs of 1,000 images), in about 25.2 MB of memory (7.0 GB are free)"
    )


def test_without_given_sides_training_has_three_fifths(project):
    samples = (Sample("train", "a", 1000, ()), Sample("unlabeled", "", 9000, ()))
    assert "of 600 images" in lines(draft(samples=samples))


def test_a_small_set_is_trained_on_for_more_epochs(project):
    assert "(100 epochs of 20 images)" in lines(draft())


def test_another_network_has_no_estimate(project):
    project.set(model__name="mlp")
    assert lines(draft()).endswith("to decode; for mlp there is no estimate of the training")


def test_the_network_for_photos_has_an_estimate(project):
    samples = (Sample("train", "a", 1000, ()), Sample("test", "a", 1, ()), Sample("val", "a", 1, ()))
    weights = {"model.name": recipe_rules.NETWORK, "model.weights": "DEFAULT", "train.epochs": 5}
    said = lines(draft(samples=samples), image_size=224, recipe=weights | {"train.freeze_epochs": 2})
    # 1,000 images, (3 x 6 + 2 x 2) x 384e6 operations at three tenths of 1.5e9 a second
    assert "about 5.2 h to train (5 epochs of 1,000 images), in about 3.5 GB of memory" in said


def test_values_of_another_data_set_leave_the_estimate_out(project):
    project.set(model__layers="8P-8P-8P-8P-8P-8P-8P-8P")
    assert lines(draft()).endswith("about 0.0016 s to decode")


def test_multiplications_of_the_default_network(project):
    settings, entry = load()
    # 32-64P-64 on 8 x 8: 9 x (64 x 32 + 64 x 32 x 64 + 16 x 64 x 64)
    assert run_cost.multiplications(settings, entry) == 9 * (64 * 32 + 64 * 32 * 64 + 16 * 64 * 64)


def test_what_a_step_keeps_of_an_image(project):
    settings, entry = load()
    # 32-64P-64 on 8 x 8: outputs and activations of 4 bytes; the pool's outputs and indices
    assert run_cost.kept_bytes(settings, entry) == 8 * 64 * 32 + 4 * 64 * 64 + (12 + 4) * 16 * 64 + 8 * 16 * 64


def test_the_machine_is_measured(monkeypatch):
    monkeypatch.undo()
    assert 1e-4 < run_cost.seconds_a_megapixel() < 1
    assert run_cost.operations_a_second() > 1e7
