"""Divide the labelled images into train, validation and test."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.config.params import load
from darkroom.config.stage_tables import SPLIT, SPLIT_TABLE
from darkroom.dataset import splits
from darkroom.dataset.packed import SPLITS, load_classes, load_index


def main() -> None:
    settings = load()[0].split
    index, classes = load_index("row", "path", "label", "subset", "sha256"), load_classes()
    table = splits.split(
        index,
        classes,
        test=settings.test,
        val=settings.val,
        seed=settings.seed,
        use_given_test=settings.use_given_test,
    )
    splits.check_leaks(index, table)
    by_class = splits.table_by_class(index, table, classes)
    SPLIT.write(table)
    SPLIT_TABLE.write(by_class)
    total = by_class[[*SPLITS, "left_out"]].sum()
    left_out = f"; {total['left_out']} left out, for the given test has their pixels too" if total["left_out"] else ""
    done(
        f"wrote {paths.SPLIT}: {total['train']:,} train, {total['val']:,} val, {total['test']:,} test{left_out}",
        "dvc repro stats",
    )


if __name__ == "__main__":
    run(main)
