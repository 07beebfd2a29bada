"""Audit the data before training: balance, copies, contradicting labels, sizes, samples."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.errors import printable
from darkroom.base.files import replacing_folder
from darkroom.base.words import counted
from darkroom.config.entry_files import EntryLayout
from darkroom.config.stage_tables import DUPLICATES, PASSED_OVER, REJECTED
from darkroom.dataset import audit, shapes
from darkroom.dataset.packed import load_classes, load_images, load_index
from darkroom.drawing import charts, galleries, style

SAMPLES_PER_CLASS = 2
CLASSES_SHOWN = 100  # a picture of more would take minutes to draw, and nobody could read it
SEED = 0  # decides which samples are shown, and nothing else


def main() -> None:
    images, index, classes = load_images(), load_index(), load_classes()
    copies = audit.duplicates(index, classes)
    means, blank = audit.mean_images(images, index, len(classes))
    rejected, others = REJECTED.read(), PASSED_OVER.read()
    lost = audit.by_reason(rejected["reason"]), audit.by_reason(others["reason"], others["files"])
    stored = (images.shape[1], images.shape[2])
    found_shapes = shapes.shapes(index, stored, EntryLayout.read(paths.ENTRY_LAYOUT).entry.resize)
    findings = audit.summary(index, classes, copies, blank, found_shapes, lost)
    findings.write(paths.AUDIT)
    DUPLICATES.write(copies)
    with replacing_folder(paths.AUDIT_PICTURES) as folder:
        shown = min(len(classes), CLASSES_SHOWN)
        which = "each class" if shown == len(classes) else f"the first {shown} of {len(classes)} classes"
        rows = audit.samples(index, shown, SAMPLES_PER_CLASS, SEED)
        titles = [classes[label] for label in index["label"].iloc[rows]]
        columns = SAMPLES_PER_CLASS * max(1, min(6, -(-len(classes) // 5)))
        samples = galleries.grid(images[rows], titles, columns=columns, title=f"Samples of {which}")
        style.save(samples, folder / "samples.png")
        means_columns = -(-shown // -(-shown // 6)) if shown <= 50 else 12  # rows of equal length
        grid = galleries.grid(means[:shown], classes[:shown], columns=means_columns, title=f"Mean image of {which}")
        style.save(grid, folder / "means.png")
        counts = audit.class_counts(index, len(classes))
        style.save(charts.class_balance(counts, classes, "Labelled images of each class"), folder / "balance.png")
        found_sizes = index["width"].tolist(), index["height"].tolist()
        if len(set(zip(*found_sizes, strict=True))) > 1:  # one size is said in words
            style.save(charts.sizes(*found_sizes, stored, "Sizes of all images"), folder / "sizes.png")
    for line in shapes.told(found_shapes):
        print(printable(line))
    found = findings.duplicates.images, findings.conflicts.images
    if blank:
        print(f"warning: {counted(blank, 'image')} of one value throughout, as all black or all white: look at them")
    done(
        f"wrote {paths.AUDIT}, {paths.DUPLICATES} ({found[0]} copies, {found[1]} of them under two labels) and "
        f"pictures in {paths.AUDIT_PICTURES}",
        "dvc repro split",
    )


if __name__ == "__main__":
    run(main)
