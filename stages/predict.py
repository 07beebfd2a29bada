"""Classify the images without labels, as a competition wants it."""

import numpy as np

from darkroom.base import paths, torch_setup
from darkroom.base.console import bar, done, run
from darkroom.base.files import replacing_folder, write_csv
from darkroom.classifier import submission
from darkroom.config.params import load
from darkroom.config.stage_files import ModelFacts
from darkroom.dataset.packed import chunks, load_classes, load_images, load_index
from darkroom.drawing import charts, style

DOUBTFUL, RANDOM = 24, 16  # images shown
SEED = 0  # of the images shown at random


def main() -> None:
    params, entry = load()
    images, index, classes = load_images(), load_index(), load_classes()
    unlabeled = index[index["subset"] == "unlabeled"]
    rows = unlabeled["row"].to_numpy(np.int64)
    # The names of the files are looked at before any work.
    ids = submission.ids(unlabeled["path"].astype(str).tolist(), entry.submission)
    best, confidence = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    if len(rows):
        training = ModelFacts.read(paths.MODEL).train
        torch_setup.torch_for_model(training)
        from darkroom.classifier.trained_network import TrainedNetwork
        from darkroom.network import devices

        device = devices.place_again(training)
        classifier = TrainedNetwork.load(paths.MODEL.parent, device)
        at = 0
        with bar(what="predict", unit="image", total=len(rows)) as shown:
            for part, pictures in chunks(images, rows):
                probabilities = classifier.probabilities(pictures)
                best[at : at + len(part)] = probabilities.argmax(axis=1)
                confidence[at : at + len(part)] = probabilities.max(axis=1)
                at += len(part)
                shown.update(len(part))
    names = np.array(submission.labels(classes, entry), dtype=object)
    write_csv(paths.SUBMISSION, submission.table(ids, names[best], entry.submission))
    order = np.argsort(confidence, kind="stable")
    doubtful, rest = order[:DOUBTFUL], np.sort(order[DOUBTFUL:])
    chosen = np.random.default_rng(SEED).permutation(rest)[:RANDOM]
    places = np.concatenate([doubtful, chosen])
    title = (
        f"Images without labels: the {len(doubtful)} least certain of {len(rows):,}, then {len(chosen)} at random "
        "(predicted, confidence)"
    )
    with replacing_folder(paths.PREDICT_PICTURES) as folder:
        titles = [f"{classes[best[place]]}\n{confidence[place]:.0%}" for place in places]
        sheet = charts.image_grid(images[rows[places]], titles, columns=8, title=title)
        style.save(sheet, folder / "contact_sheet.png")
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
