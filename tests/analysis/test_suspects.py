import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import suspects
from darkroom.config.stage_tables import SUSPECTS
from tests import make

CLASSES = ["ant", "bee", "cow", "dog"]


def model_of(true, classes, sure=0.9, seed=0):
    """What a good, somewhat unsure model says of images with these true classes."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(classes), len(true))
    return (sure * np.eye(classes)[true] + (1 - sure) * noise).astype(np.float32)


@pytest.mark.parametrize(("count", "classes"), [(600, 4), (3000, 30)])
def test_flipped_labels_of_well_separated_classes_are_found(count, classes):
    generator = np.random.default_rng(1)
    true = generator.integers(0, classes, count)
    flipped = generator.random(count) < 0.05
    labels = np.where(flipped, (true + generator.integers(1, classes, count)) % classes, true)
    suspect, quality = suspects.confident_learning(labels, model_of(true, classes))
    assert (suspect & flipped).sum() / suspect.sum() > 0.95
    assert (suspect & flipped).sum() / flipped.sum() > 0.8
    assert quality[flipped].max() < quality[~flipped].min()


def test_labels_that_the_model_shares_are_above_suspicion():
    true = np.arange(200) % 4
    assert not suspects.confident_learning(true, model_of(true, 4))[0].any()


def test_classes_without_images_and_sums_a_little_off_do_no_harm():
    true = np.arange(90) % 3
    labels = true.copy()
    labels[7] = 2
    suspect, quality = suspects.confident_learning(labels, model_of(true, 5) * np.float32(1.0005))
    assert np.flatnonzero(suspect).tolist() == [7]
    assert ((quality >= 0) & (quality <= 1)).all()


def test_the_same_predictions_give_the_same_suspects():
    generator = np.random.default_rng(3)
    labels, probabilities = generator.integers(0, 4, 300), generator.dirichlet(np.ones(4), 300)
    first, second = (suspects.confident_learning(labels, probabilities) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_of_copies_the_minority_is_suspect_or_all():
    labels = np.array([0, 0, 1, 2, 3, 3, 1, -1, 2])
    groups = [[0, 1, 2], [3, 4], [5, 6, 7], [8]]
    assert suspects.by_copies(groups, labels) == {2: 0, 3: 3, 4: 2, 5: 1, 6: 3}


def test_of_near_copies_both_are_suspect():
    pairs = pd.DataFrame({"row": [0, 0, 4], "train_row": [1, 2, 5]})
    assert suspects.by_near_copies(pairs, np.array([0, 1, 2, 0, 3, 3])) == {0: 1, 1: 0, 2: 0}


def learned(*lines):
    return pd.DataFrame(lines, columns=["row", "suggested", "quality"])


def table(found, copies, near):
    index = make.index_of([0, 1, 2, 3, None])
    splits = pd.Series(["val", "train", "test", "train"], index=range(4))
    suggestions = suspects.by_reason(found, copies, near)
    return suspects.table(suggestions, found.set_index("row")["quality"], index, splits, CLASSES, "mine")


def test_each_suspect_stands_once_with_all_reasons_and_the_worst_first():
    found = table(learned((0, 1, 0.5), (2, 3, 0.1), (3, -1, 0.9)), {0: 2, 1: 0}, {2: 0, 3: 2})
    assert tuple(found) == SUSPECTS.columns
    assert found["row"].tolist() == [2, 0, 3, 1]
    assert found["suggested"].tolist() == ["dog", "bee", "cow", "ant"]
    assert found["label"].tolist() == ["cow", "ant", "dog", "bee"]
    assert found["split"].tolist() == ["test", "val", "train", "train"]
    assert found["quality"].isna().tolist() == [False, False, False, True]
    assert found["why"][0] == f"{suspects.LEARNED}; {suspects.NEAR}"
    assert found["why"][3] == suspects.COPY
    assert suspects.captions(found)[0] == "cow\n→ dog?\ntest 0.1"
    assert suspects.captions(found)[3] == "bee\n→ ant?\ntrain"


def test_no_suspects_leave_the_head_of_the_table(tmp_path):
    found = table(learned((0, -1, 0.5)), {}, {})
    assert found.empty
    assert tuple(found) == SUSPECTS.columns


def test_a_line_of_the_suspects_is_a_correction(tmp_path):
    from darkroom.intake import corrections

    file = tmp_path / "corrections.csv"
    lines = table(learned((0, 1, 0.5)), {}, {}).to_csv(index=False).splitlines()[1:]
    file.write_text("\n".join([",".join(corrections.COLUMNS), *lines, ""]))
    (one,) = corrections.read(file, "mine")
    assert (one.path, one.label) == ("train/0.png", "bee")
