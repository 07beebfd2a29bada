"""Look at the data before training on it: balance, copies, contradictions, sizes, samples."""

import pandas as pd

from darkroom import auditing, paths, plots
from darkroom.console import done, run
from darkroom.dataset import load_classes, load_images, load_index
from darkroom.files import replacing_folder, write_csv, write_json

SAMPLES_PER_CLASS = 2
CLASSES_SHOWN = 100  # a picture of more would take minutes to draw, and nobody could read it
SEED = 0  # of the samples shown; nothing else depends on it


def main() -> None:
    images, index, classes = load_images(), load_index(), load_classes()
    copies = auditing.duplicates(index, classes)
    means, blank = auditing.mean_images(images, index, len(classes))
    findings = auditing.summary(index, classes, copies, len(pd.read_csv(paths.REJECTED)), blank)
    write_json(paths.AUDIT, findings)
    write_csv(paths.DUPLICATES, copies)
    with replacing_folder(paths.AUDIT_PICTURES) as folder:
        shown = min(len(classes), CLASSES_SHOWN)
        which = "each class" if shown == len(classes) else f"the first {shown} of {len(classes)} classes"
        rows = auditing.samples(index, shown, SAMPLES_PER_CLASS, SEED)
        titles = [classes[label] for label in index["label"].iloc[rows]]
        columns = SAMPLES_PER_CLASS * max(1, min(6, -(-len(classes) // 5)))
        plots.save(
            plots.image_grid(images[rows], titles, columns=columns, title=f"Samples of {which}"),
            folder / "samples.png",
        )
        means_columns = 5 if len(classes) <= 50 else 12
        plots.save(
            plots.image_grid(means[:shown], classes[:shown], columns=means_columns, title=f"Mean image of {which}"),
            folder / "means.png",
        )
        counts = auditing.class_counts(index, len(classes))
        plots.save(plots.class_balance(counts, classes, "Labelled images of each class"), folder / "balance.png")
        stored = (images.shape[1], images.shape[2])
        plots.save(
            plots.sizes(index["width"].tolist(), index["height"].tolist(), stored, "Sizes of all images"),
            folder / "sizes.png",
        )
    found = findings["duplicates"]["images"], findings["conflicts"]["images"]
    done(
        f"wrote {paths.AUDIT}, {paths.DUPLICATES} ({found[0]} copies, {found[1]} of them under two labels) and "
        f"pictures in {paths.AUDIT_PICTURES}",
        "dvc repro split",
    )


if __name__ == "__main__":
    run(main)
