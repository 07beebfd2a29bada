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


LABELS = np.array([0, 1, 0, 1, 2, -1])
SAME = pd.Series({0: 0.2, 1: 0.7})


@pytest.mark.parametrize(
    ("quality", "stays"),
    [
        ({0: 0.2, 1: 0.7}, 0),
        ({0: 0.7, 1: 0.2}, 1),
        ({0: 0.4}, 0),
        ({0: 0.6}, 1),
        ({1: 0.4}, 1),
        ({0: 0.5, 1: 0.5}, 1),
        ({}, 1),
    ],
)
@pytest.mark.parametrize("reason", [suspects.LEARNED, suspects.COPY, suspects.NEAR])
def test_of_two_labels_that_would_be_swapped_the_less_probable_one_changes(quality, stays, reason):
    swapped = {suspects.LEARNED: {}, suspects.COPY: {}, suspects.NEAR: {}} | {reason: {0: 1, 1: 0}}
    for group in ([0, 1], [1, 0]):
        found = suspects.without_undoing(swapped, [group], LABELS, pd.Series(quality, dtype=float))
        assert found[reason] == {stays: 1 - stays}


def test_a_label_that_stays_is_no_suspect_for_another_reason_either():
    given = {suspects.LEARNED: {0: 1}, suspects.COPY: {0: 1, 1: 0}, suspects.NEAR: {1: 0}}
    found = suspects.without_undoing(given, [[0, 1]], LABELS, SAME)
    assert found == {suspects.LEARNED: {0: 1}, suspects.COPY: {0: 1}, suspects.NEAR: {}}


def test_the_reason_that_decides_a_suggestion_decides_whether_it_would_be_undone():
    given = {suspects.LEARNED: {1: 2}, suspects.COPY: {0: 1, 1: 0}, suspects.NEAR: {}}
    assert suspects.without_undoing(given, [[0, 1]], LABELS, SAME) == given


def test_suggestions_about_pictures_that_are_not_alike_stand():
    given = {suspects.LEARNED: {0: 1, 3: 0}, suspects.COPY: {}, suspects.NEAR: {4: 0}}
    assert suspects.without_undoing(given, [[0, 2], [3, 4]], LABELS, SAME) == given


def test_of_two_against_two_one_side_changes():
    groups = [[0, 1, 2, 3]]
    given = suspects.by_reason(learned(), suspects.by_copies(groups, LABELS), {})
    assert given[suspects.COPY] == {0: 1, 1: 0, 2: 1, 3: 0}
    found = suspects.without_undoing(given, groups, LABELS, pd.Series({2: 0.1, 3: 0.3}))
    assert found[suspects.COPY] == {0: 1, 2: 1}


def test_no_two_suggestions_of_any_list_undo_each_other():
    generator = np.random.default_rng(0)
    for _ in range(200):
        labels = generator.integers(0, 3, 8)
        pairs = pd.DataFrame(generator.integers(0, 8, (10, 2)), columns=["row", "train_row"])
        doubted = {int(row): int(generator.integers(0, 3)) for row in generator.choice(8, 3, replace=False)}
        given = {suspects.LEARNED: doubted, suspects.NEAR: suspects.by_near_copies(pairs, labels)}
        quality = pd.Series(dict(zip(range(4), generator.random(4).round(1), strict=True)))
        found = suspects.without_undoing(given, pairs.to_numpy().tolist(), labels, quality)
        final = found[suspects.NEAR] | found[suspects.LEARNED]
        for one, other in pairs.itertuples(index=False):
            swapped = final.get(one) == labels[other] and final.get(other) == labels[one]
            assert labels[one] == labels[other] or not swapped


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
