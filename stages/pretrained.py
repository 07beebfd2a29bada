"""Bring the pretrained weights here from which the training starts, with their source and licence."""

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.params import load
from darkroom.network import bring_weights


def main() -> None:
    params, entry = load()
    with replacing_folder(paths.PRETRAINED) as folder:
        found = bring_weights.bring(params.model, folder)
    if found.file is None:
        done("wrote a note alone: model.weights is null, so no weights are wanted", "dvc repro train")
        return
    seen = params.model.seen(entry.shape)
    for line in bring_weights.in_words(found, paths.PRETRAINED, seen, whole=seen == entry.shape):
        print(line)
    done(f"wrote {paths.PRETRAINED}", "dvc repro train")


if __name__ == "__main__":
    run(main)
