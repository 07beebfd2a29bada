"""Classify the images without labels, and write the table that a competition wants."""

import numpy as np

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder, write_csv
from darkroom.classifier import submission
from darkroom.config.params import load
from darkroom.config.stage_files import ModelFacts
from darkroom.dataset.packed import load_classes, load_images, load_index
from darkroom.drawing import contact_sheet, style


def main() -> None:
    params, entry = load()
    images, index, classes = load_images(), load_index(), load_classes()
    unlabelled = index[index["subset"] == "unlabeled"]
    rows = unlabelled["row"].to_numpy(np.int64)
    # File names without a valid id must fail before the long work.
    ids = submission.ids(unlabelled["path"].astype(str).tolist(), entry.submission)
    best, confidence = np.zeros(0, np.int64), np.zeros(0, np.float32)
    if len(rows):  # without images torch is not needed; its import would take seconds
        training = ModelFacts.read(paths.MODEL).train
        torch_setup.torch_for_model(training)
        from darkroom.classifier.trained_network import TrainedNetwork
        from darkroom.classifier.unlabelled import classify
        from darkroom.network import devices

        classifier = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(training))
        best, confidence = classify(classifier, images, rows)
    names = np.array(submission.labels(classes, entry), dtype=object)
    write_csv(paths.SUBMISSION, submission.table(ids, names[best], entry.submission))
    with replacing_folder(paths.PREDICT_PICTURES) as folder:
        style.save(contact_sheet.figure(images, rows, best, confidence, classes), folder / "contact_sheet.png")
    if not len(rows):
        done(
            f"{params.dataset} has no images without labels: {paths.SUBMISSION} has a header alone",
            "python -m darkroom predict PICTURE",
        )
        return
    done(
        f"wrote {paths.SUBMISSION} ({len(rows):,} images) and {paths.PREDICT_PICTURES}/contact_sheet.png",
        "upload the table where it is wanted, or python -m darkroom predict PICTURE",
    )


if __name__ == "__main__":
    run(main)
