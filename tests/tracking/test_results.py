from darkroom.tracking import results
from tests.report.test_sections import ERRORS, FIGURES, INSIDE
from tests.test_graph import STAGES, outputs


def test_the_figures_of_both_splits_have_names_of_their_own():
    found = results.figures(FIGURES, ERRORS, INSIDE)
    assert found["test_accuracy"] == FIGURES.test.accuracy
    assert found["best_val_accuracy"] == FIGURES.val.accuracy
    assert "val_accuracy" not in found  # which the training records by epoch
    assert None not in found.values()


def test_figures_that_are_undefined_are_left_out():
    for value in (0.9, None):
        test = FIGURES.test.model_copy(update={"roc_auc": value})
        found = results.figures(FIGURES.model_copy(update={"test": test}), ERRORS, INSIDE)
        assert found.get("test_roc_auc") == value
        assert ("test_roc_auc" in found) == (value is not None)


def test_what_was_found_later_is_counted():
    found = results.figures(FIGURES, ERRORS, INSIDE)
    assert found["test_mistakes"] == ERRORS.mistakes
    assert found["suspects"] == ERRORS.suspects.images
    assert found["val_dead_channels"] == sum(layer.dead for layer in INSIDE.dead_channels.values())
    assert "val_idle_channels" not in found  # no activation is smooth


def test_every_result_of_the_stages_after_the_training_goes_into_the_record():
    known = {path.as_posix() for path in results.FILES}
    made = {
        path for stage in ("curves", "evaluate", "errors", "inside", "predict", "report") for path in outputs(stage)
    }
    assert known <= made
    # Of these the record holds the pictures and tables; they themselves are large, or part of the model.
    assert made - known == {
        "data/predictions.parquet",
        "metrics/confusion_matrix.csv",
        "models/familiarity.safetensors",
    }
    assert "evaluate" in STAGES
