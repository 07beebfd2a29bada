"""Classify the images without labels, and write the table that a competition wants."""

import numpy as np

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder, write_csv
from darkroom.classifier import filled_sample, submission
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.dataset.packed import load_classes, load_images, load_index
from darkroom.drawing import contact_sheet, style
from darkroom.intake.sample_submission import understand

SHEET = "contact_sheet.png"


def main() -> None:
    params, entry = load()
    images, index, classes = load_images(), load_index(), load_classes()
    unlabelled = index[index["subset"] == "unlabeled"]
    rows, names = unlabelled["row"].to_numpy(np.int64), unlabelled["path"].astype(str).tolist()
    # A sample that does not fit, and names without a valid id, must fail before the long work.
    sample = understand(paths.SAMPLE.read_bytes(), entry, classes, names) if entry.sample else None
    ids = submission.ids(names, entry.two_columns) if sample is None else []
    rows = rows if sample is None else rows[sample.pictures]
    found = submission.Predictions()
    if len(rows):  # without images torch is not needed; its import would take seconds
        facts = ModelFacts.read(paths.MODEL)
        torch_setup.torch_for_model(facts.train)
        from darkroom.classifier import voting
        from darkroom.classifier.trained_network import TrainedNetwork
        from darkroom.classifier.unlabelled import classify
        from darkroom.network import devices

        classifier = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
        vote = voting.vote_of(facts, params.evaluate, classifier)
        found = classify(classifier, images, rows, vote, sample.answers.classes if sample else ())
    if sample is None:
        labels = np.array(submission.labels(classes, entry), dtype=object)[found.best]
        write_csv(paths.SUBMISSION, submission.table(ids, labels, entry.two_columns))
    else:
        filled_sample.write(paths.SUBMISSION, sample, found)
    with replacing_folder(paths.PREDICT_PICTURES) as folder:
        style.save(contact_sheet.figure(images, rows, found.best, found.confidence, classes), folder / SHEET)
    if not len(rows):
        told = f"{params.dataset} has no images without labels: {paths.SUBMISSION} has a header alone"
        done(told, "python -m darkroom predict PICTURE")
        return
    picture = f"{paths.PREDICT_PICTURES}/{SHEET}"
    done(
        f"wrote {paths.SUBMISSION} ({len(rows):,} images) and {picture}"
        if sample is None
        else f"wrote {picture}\n{paths.SUBMISSION}: in the form of {sample.name} ({sample.in_words()})",
        "upload the table where it is wanted, or python -m darkroom predict PICTURE",
    )


if __name__ == "__main__":
    run(main)
