import re

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from darkroom.config.audit_figures import AuditFigures, GroupCounts, NamedClass, SideRange
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import (
    Comparison,
    ConfusedPair,
    Curves,
    DeadChannels,
    ErrorFigures,
    Evaluation,
    Figures,
    InsideFigures,
    McNemar,
    NearDuplicateCounts,
    NeighbourAccuracy,
    Source,
    SuspectCounts,
    TrainingFigures,
)
from darkroom.config.stage_tables import HIDDEN
from darkroom.dataset import shapes
from darkroom.report import advice, rendering, sections, summary
from tests import make, models

NAMES = ["<script>alert(1)</script>", "bee", "c&d"]


def split_figures(**changes):
    figures = {
        "images": 6, "accuracy": 0.5, "accuracy_low": 0.2, "accuracy_high": 0.8, "balanced_accuracy": 0.5,
        "macro_f1": 0.4, "weighted_f1": 0.4, "top3_accuracy": 1.0, "cohen_kappa": 0.1, "quadratic_kappa": 0.3,
        "roc_auc": None, "average_precision": None, "log_loss": 0.6, "ece": 0.05, "ece_uncalibrated": 0.2,
    }  # fmt: skip
    return Figures(**figures | changes)


FIGURES = Evaluation(
    val=split_figures(),
    test=split_figures(accuracy=0.25),
    baselines=Comparison(
        test_accuracy={"majority_class": 0.3, "random_forest": 0.4, "network": 0.25},
        best="random_forest",
        mcnemar=McNemar(only_ours_right=1, only_other_right=2, p_value=1.0),
    ),
)
PER_CLASS = pd.DataFrame(
    {"class": NAMES, "precision": [1.0, 0.5, 0.25], "recall": [0.5, 1.0, 0.2], "f1": [0.9, 0.6, 0.2],
     "images": [2, 3, 1], "roc_auc": [1.0, np.nan, 0.5], "average_precision": [1.0, np.nan, 0.5]}
)  # fmt: skip
PREDICTIONS = pd.DataFrame({"label": [0, 0, 1, 1, 1, 2], "predicted": [0, 1, 1, 1, 2, 2]})
ERRORS = ErrorFigures(
    split="test", images=6, mistakes=2, error_rate=0.3333,
    most_confused=[ConfusedPair(true=NAMES[0], predicted="bee", mistakes=1)], grad_cam="",
    suspects=SuspectCounts(images=1, by_split={}, by_reason={}),
    near_duplicates=NearDuplicateCounts(pairs=0, under_two_labels=0, val_and_test_images=2, training_images=2),
)  # fmt: skip
WRONG = pd.DataFrame(
    {"path": ["a.png", "b.png"], "row": [0, 2], "true": [NAMES[0], "bee"], "predicted": ["bee", "c&d"],
     "confidence": [0.9, 0.6], "loss": [3.0, 1.0], "neighbours": ["bee | bee | c&d", ""],
     "neighbour_rows": [[1, 1, 2], []]}
)  # fmt: skip
LABELS = np.array([0, 1, 2])
ENTRY = make.entry(title="My <set>")
SOURCE = Source(archive="mine.zip", origin="file: mine.zip", sha256="0" * 64, bytes=1)
AUDIT = AuditFigures(
    images=7, labelled=6, unlabelled=1, rejected={}, passed_over={}, classes=3, blank=2,
    duplicates=GroupCounts(groups=0, images=0),
    conflicts=GroupCounts(groups=0, images=0), smallest_class=NamedClass(name="c&d", images=1),
    largest_class=NamedClass(name="bee", images=3), width=SideRange(min=8, median=8, max=8),
    height=SideRange(min=8, median=8, max=8), channels={"1": 7},
    shapes=shapes.shapes(make.index_of([0] * 7), (4, 8), "crop"),
)  # fmt: skip
SPLIT = pd.DataFrame(
    {"class": NAMES, "train": [1, 1, 0], "val": [0, 1, 0], "test": [1, 1, 1], "left_out": [0, 0, 0],
     "train_share": [0.5, 0.3333, 0.0], "val_share": [0.0, 0.3333, 0.0], "test_share": [0.5, 0.3333, 1.0]}
)  # fmt: skip
INSIDE = InsideFigures(
    split="test", reference_images=1, test_images=6, accuracy=NeighbourAccuracy(nearest_neighbours=0.5, head=0.25),
    dead_channels={
        "act1": DeadChannels(channels=8, dead=1, share=0.125), "act2": DeadChannels(channels=4, dead=0, share=0),
    },
    idle_channels={},
    left_out={},
)  # fmt: skip


def images(count=3, side=8, channels=1):
    return np.stack([make.pixels(side, side, channels, seed) for seed in range(count)])


def evaluation(classes=NAMES, predictions=PREDICTIONS, figures=FIGURES):
    return sections.evaluation(figures, PER_CLASS, predictions, classes, 0.5, ERRORS.most_confused)


@pytest.mark.parametrize(
    ("submission", "said"),
    [
        (None, "1,200 unlabelled images were classified, into data/submission.csv."),
        ({"id": "Id", "label": "Label"}, "1,200 unlabelled images were classified, into data/submission.csv."),
        (
            "sample.csv",
            "1,200 unlabelled images; data/submission.csv holds the predictions that sample.csv asks for, in its form.",
        ),
    ],
)
def test_what_is_said_of_the_unlabelled_images(submission, said):
    assert sections.predict(1200, make.entry(submission=submission)) == said
    assert sections.predict(0, make.entry(submission=submission)) == ""


@pytest.mark.parametrize(("how", "words"), [("squash", "whatever"), ("crop", "their middle"), ("pad", "on black")])
def test_the_section_on_the_data_says_how_pictures_are_brought_to_size(how, words):
    found = sections.data("mine", make.entry(resize=how), SOURCE, AUDIT, SPLIT, NAMES)
    assert words in found["input"]
    assert dict(found["facts"])["Resize"].startswith("crop to 8x4")  # what the audit saw


@pytest.mark.parametrize(("input_size", "told"), [(None, False), ([4, 6], True)])
def test_the_section_on_the_training_says_how_much_the_network_sees(input_size, told):
    facts = ModelFacts.model_validate(models.facts(model=models.SETTINGS | {"input_size": input_size}))
    trained = TrainingFigures(
        epochs=2, best_epoch=1, stopped_early=False, parameters=7, train_loss=1.0, train_accuracy=0.5, val_loss=1.0,
        val_accuracy=0.5, temperature=1.0,
    )  # fmt: skip
    words = sections.training(trained, Curves(fit="sound"), pd.DataFrame({"epoch": [1]}), facts, "")["words"]
    assert ("It sees 6x4 pixels of each image: a random part in training" in words) == told


def content(shown=None):
    training = {
        "words": "w", "layers": "<layer>", "history": sections.table(pd.DataFrame({"epoch": [1], "lr": [0.1]})),
        "augmented": True, "pretrained": "",
    }  # fmt: skip
    return {
        "title": "mine",
        "wide": 800,
        "headline": summary.headline(FIGURES),
        "sections": sections.SECTIONS,
        "next": [advice.Step("Try another setting", "dvc exp run")],
        "left_out": sections.table(pd.DataFrame({"reason": ["empty"], "files": [1]})),
        "data": sections.data("mine", ENTRY, SOURCE, AUDIT, SPLIT, NAMES),
        "training": training,
        "evaluation": evaluation(),
        "mistakes": shown or sections.mistakes(ERRORS, WRONG, images(), LABELS, NAMES),
        "inside": sections.inside(INSIDE),
        "predict": "",
        "made": {
            "commands": "git checkout $(git log)",
            "params": "a: 1",
            "hashes": sections.table(pd.DataFrame({"a": ["b"]})),
        },
    }  # fmt: skip


def test_what_a_network_does_not_have_is_said_on_the_page_and_the_card():
    missing = INSIDE.model_copy(
        update={
            "dead_channels": {},
            "idle_channels": INSIDE.dead_channels,
            "left_out": {"kernels.png": "no such layer"},
        }
    )
    words = sections.inside(missing)["words"]
    assert "never answer" not in words
    assert "1 of 12 channels of smooth activations" in words
    assert "smooth" not in sections.inside(INSIDE)["words"]
    without = ERRORS.model_copy(update={"grad_cam": "left out: mlp has no map"})
    shown = content(sections.mistakes(without, WRONG, images(), LABELS, NAMES)) | {"inside": sections.inside(missing)}
    for template in ("report.html.j2", "card.md.j2"):
        said = rendering.render(template, **shown, pictures=NoPictures(), style="", script="")
        assert "no kernels of a deeper layer" in said.replace("No ", "no ")
        assert "no such layer" in said
        assert "No Grad-CAM: mlp has no map." in said
    assert "Grad-CAM:" not in rendering.render("card.md.j2", **content())


def test_a_class_without_test_images_is_not_called_weak():
    """Its recall is 0 in the table, but of nothing."""
    table = PER_CLASS.assign(recall=[0.5, 1.0, 0.0], f1=[0.9, 0.6, 0.0], images=[2, 3, 0])
    found = sections.evaluation(FIGURES, table, PREDICTIONS, NAMES, 0.5, [])
    assert [line[0] for line in found["weakest"]] == ["bee", NAMES[0]]
    assert len(found["per_class"]["body"]) == 3


class NoPictures(dict):
    def __missing__(self, name):
        return None


def page(**changes):
    parts = {"style": rendering.part("report.css"), "script": rendering.part("report.js"), "pictures": NoPictures()}
    return rendering.render("report.html.j2", **content(), **parts | changes)


def test_names_from_the_data_are_text_in_the_page():
    text = page()
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "My &lt;set&gt;" in text
    assert text.count("<script>") == 1


@pytest.mark.parametrize(
    "name", ['"><img src=x onerror=alert(1)>', "two\nlines", "  wide", "</script>", "{{7*7}}", "'"]
)
def test_a_choice_of_the_gallery_is_the_very_name(name):
    """The text of an option loses line breaks and spaces, and would no longer be the name of the class."""
    wrong = WRONG.assign(true=name)
    text = rendering.render(
        "report.html.j2",
        **content(sections.mistakes(ERRORS, wrong, images(), LABELS, NAMES)),
        style="",
        script="",
        pictures=NoPictures(),
    )
    assert f'<option value="{escape(name)}">{escape(name)}</option>' in text
    assert f'data-true="{escape(name)}"' in text


def test_the_page_asks_nobody_for_anything():
    picture = rendering.Picture("data:image/png;base64,AAAA", "a chart", 2, 3)
    text = page(pictures=NoPictures(curves=picture))
    assert '<img src="data:image/png;base64,AAAA" alt="a chart" width="2" height="3">' in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert not re.search(r"url\((?!#)", rendering.part("report.css"))


def test_every_cell_off_the_diagonal_opens_its_images():
    matrix = evaluation()["matrix"]
    counts = np.array([[cell["count"] for cell in line["cells"]] for line in matrix["rows"]])
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 1], [0, 0, 1]])
    assert [cell["right"] for cell in matrix["rows"][1]["cells"]] == [False, True, False]
    assert matrix["rows"][1]["cells"][2]["share"] == pytest.approx(1 / 3, abs=1e-4)
    text = page()
    assert len(re.findall(r'<button type="button" data-true="[^"]*" data-predicted="[^"]*" aria-label', text)) == 2


def test_many_classes_have_a_picture_in_place_of_the_table():
    classes = [f"class {number}" for number in range(sections.MATRIX_CLASSES + 1)]
    assert evaluation(classes)["matrix"] is None


def test_the_gallery_holds_names_confidence_and_neighbours():
    found = sections.mistakes(ERRORS, WRONG, images(), LABELS, NAMES)
    assert found["words"] == "2 of 6 test images are classified wrong (33.33%)."
    assert [item["neighbours"] for item in found["shown"]] == ["bee (2), c&d (1)", ""]
    assert found["true"] == sorted([NAMES[0], "bee"])
    assert all(item["uri"].startswith("data:image/png") for item in found["shown"])


def test_the_gallery_ends_where_it_would_grow_too_large(monkeypatch):
    monkeypatch.setattr(sections, "GALLERY_BYTES", 300)
    wrong = pd.concat([WRONG] * 4, ignore_index=True)
    found = sections.mistakes(ERRORS.model_copy(update={"mistakes": 8}), wrong, images(), LABELS, NAMES)
    assert 0 < len(found["shown"]) < 8
    assert f"The {len(found['shown'])} worst are shown." in found["words"]


def test_a_class_whose_mistakes_are_all_left_out_can_still_be_chosen(monkeypatch):
    """Else a click on its number in the matrix would choose nothing, and so show all mistakes."""
    monkeypatch.setattr(sections, "GALLERY", 1)
    found = sections.mistakes(ERRORS, WRONG, images(), LABELS, NAMES)
    assert len(found["shown"]) == 1
    assert set(found["true"]) == {NAMES[0], "bee"}
    assert set(found["predicted"]) == {"bee", "c&d"}


def test_no_mistakes_are_a_sentence():
    none = sections.mistakes(
        ERRORS.model_copy(update={"mistakes": 0, "error_rate": 0.0}), WRONG.head(0), images(), LABELS, NAMES
    )
    assert none["words"] == "None of 6 test images is classified wrong."
    assert none["shown"] == []
    assert 'id="filter"' not in rendering.render(
        "report.html.j2", **content(none), style="", script="", pictures=NoPictures()
    )


def test_names_are_sorted_numbers_first_and_by_their_value():
    assert sections._names(["b", "10", "9", "a", "b"]) == ["9", "10", "a", "b"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (float("nan"), ""),
        (0.5, "0.5000"),
        (0.00002, "2e-05"),
        (0.0, "0.0000"),
        (12345, "12,345"),
        ("x", "x"),
    ],
)
def test_figures_as_a_person_writes_them(value, words):
    assert sections.text(value) == words


def test_findings_name_what_the_audit_found():
    assert content()["data"]["findings"] == ["2 images are blank"]
    odd = {"rejected": {"it is empty": 2}, "passed_over": {HIDDEN: 9, "not read as a picture (.heic)": 1}, "blank": 0}
    found = sections.data("mine", ENTRY, SOURCE, AUDIT.model_copy(update=odd), SPLIT, NAMES)
    assert found["findings"] == ["2 files rejected: it is empty", "1 file passed over: not read as a picture (.heic)"]
    clean = sections.data("mine", ENTRY, SOURCE, AUDIT.model_copy(update={"blank": 0}), SPLIT, NAMES)
    assert clean["findings"] == [
        "Nothing to report: no rejected files, no copies, no contradicting labels, no blank images."
    ]


def test_the_sizes_of_the_splits_are_told_with_their_shares_and_what_was_left_out():
    facts = dict(content()["data"]["facts"])
    assert facts["Train, val, test"] == "2 (33.3%), 1 (16.7%), 3 (50.0%)"
    assert "Left out" not in facts
    given = sections.data("mine", ENTRY, SOURCE, AUDIT, SPLIT.assign(left_out=[0, 1, 0]), NAMES)
    assert dict(given["facts"])["Left out"] == "1 labelled image, with the pixels or the group of one in val or test"


@pytest.mark.parametrize(("fraction", "told"), [(1.0, ""), (0.1, " A quick look: trained on 10% of the training ")])
def test_a_quick_look_is_told_as_one(fraction, told):
    facts = ModelFacts.model_validate(models.facts())
    facts = facts.model_copy(update={"train": facts.train.model_copy(update={"fraction": fraction})})
    trained = TrainingFigures(
        epochs=3, best_epoch=2, stopped_early=False, parameters=9, train_loss=1, train_accuracy=0.5, val_loss=1,
        val_accuracy=0.5, temperature=1,
    )  # fmt: skip
    words = sections.training(trained, Curves(fit="good"), pd.DataFrame({"epoch": [1]}), facts, "")["words"]
    assert f"the weights of epoch 2 kept.{told}" in words
    assert ("quick look" in words) == bool(told)


def test_the_card_says_how_good_it_is_and_what_it_is_not_for():
    card = rendering.render("card.md.j2", **content())
    assert "25.00% of 6 test images are classified right (95 % interval 20.00% to 80.00%)" in card
    assert "| Accuracy | 0.5000 | 0.2500 |" in card
    assert r"| c\&d | 0.2500 | 0.2000 | 0.2000 | 1 |" in card
    assert "git checkout $(git log" in card
    assert "<script>" not in card
    assert "## Intended use" in card


@pytest.mark.parametrize(
    ("changes", "says"),
    [([{"flip": {}}], "Training images before and after augmentation."), ([], "Training images; augment is empty, so")],
)
def test_training_images_are_called_augmented_where_they_are(changes, says):
    facts = ModelFacts.model_validate(models.facts(augment=changes))
    trained = TrainingFigures(
        epochs=1, best_epoch=1, stopped_early=False, parameters=1, train_loss=1, train_accuracy=1, val_loss=1,
        val_accuracy=1, temperature=1,
    )  # fmt: skip
    found = sections.training(trained, Curves(fit="a sound fit"), pd.DataFrame({"epoch": [1]}), facts, "")
    pictures = NoPictures({"augmented": rendering.Picture("data:,", "", 1, 1)})
    parts = {"style": "", "script": "", "pictures": pictures}
    assert says in rendering.render("report.html.j2", **content() | {"training": found}, **parts)


def test_no_card_speaks_of_the_first_three_of_three_classes():
    few = FIGURES.model_copy(update={"test": split_figures(top3_accuracy=None)})
    names = [[card["name"] for card in evaluation(figures=figures)["cards"]] for figures in (FIGURES, few)]
    assert set(names[0]) - set(names[1]) == {"top-3 accuracy, test"}


def test_the_labels_of_neighbours_come_from_the_data_whatever_they_are_called():
    names = ["cats | dogs", "bee", "c&d"]
    found = sections.mistakes(ERRORS, WRONG.assign(neighbours="what people read"), images(), LABELS, names)
    assert [item["neighbours"] for item in found["shown"]] == ["bee (2), c&d (1)", ""]
    found = sections.mistakes(ERRORS, WRONG, images(), np.array([2, 0, 1]), names)
    assert found["shown"][0]["neighbours"] == "cats | dogs (2), bee (1)"
