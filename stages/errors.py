"""Show the mistakes on the test split: the worst of them, and the pairs of classes that are confused most."""

import pandas as pd

from darkroom import mistakes, paths, plots, tracking
from darkroom.console import done, run
from darkroom.dataset import load_classes, load_images, load_index
from darkroom.files import replacing_folder, write_csv, write_json
from darkroom.params import load


def main() -> None:
    params, _ = load()
    settings = params.errors
    classes = load_classes()
    predictions = pd.read_parquet(paths.PREDICTIONS)
    tested = predictions[predictions["split"] == "test"]
    table = mistakes.table(tested, load_index(), classes)
    pairs = mistakes.pairs(table)
    write_csv(paths.ERRORS_TABLE, table)
    write_json(
        paths.ERRORS,
        {
            "split": "test",
            "images": len(tested),
            "mistakes": len(table),
            "error_rate": round(len(table) / max(1, len(tested)), 4),
            "most_confused": pairs.head(settings.pairs).to_dict("records"),
        },
    )
    images = load_images()
    with replacing_folder(paths.ERRORS_PICTURES) as folder:
        worst = table.head(settings.worst)
        title = f"The {len(worst)} worst of {len(table)} mistakes, test split (true → predicted, confidence)"
        plots.save(
            plots.image_grid(images[worst["row"]], mistakes.captions(worst), columns=8, title=title),
            folder / "worst.png",
        )
        chosen = mistakes.of_pairs(table, pairs.head(settings.pairs), settings.per_pair)
        plots.save(
            plots.gallery_rows(
                images,
                chosen,
                columns=settings.per_pair,
                title="Most confused pairs of classes, test split, worst first",
            ),
            folder / "pairs.png",
        )
    tracking.evaluated(
        params,
        {"test_mistakes": len(table)},
        [paths.ERRORS, paths.ERRORS_TABLE, paths.ERRORS_PICTURES],
    )
    done(
        f"wrote {paths.ERRORS_TABLE} ({len(table)} mistakes in {len(tested):,} test images) and galleries in "
        f"{paths.ERRORS_PICTURES}",
        "python -m darkroom predict PICTURE, or dvc exp run -S train.lr=0.001",
    )


if __name__ == "__main__":
    run(main)
