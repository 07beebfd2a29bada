"""Show the mistakes on the test split and what they come from, and name labels that are probably wrong."""

import numpy as np

from darkroom.analysis.verdict import shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.params import Errors, load
from darkroom.config.stage_files import Evaluation, ModelFacts
from darkroom.config.stage_tables import DUPLICATES, MISTAKES, NEAR_DUPLICATES, PREDICTIONS, SPLIT, SUSPECTS
from darkroom.dataset.packed import labels_of, load_classes, load_images, load_index


def main() -> None:
    params, _ = load()
    facts = ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    errors(params.errors, facts)


def errors(settings: Errors, facts: ModelFacts) -> None:
    """Write tables and pictures of mistakes, suspects and near-duplicates."""
    from darkroom.analysis import doubts
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.drawing import mistakes
    from darkroom.network import devices

    index, duplicates = load_index(), DUPLICATES.read()
    data = doubts.Data(
        images=load_images(),
        index=index,
        labels=labels_of(index, np.arange(len(index))),
        classes=load_classes(),
        splits=SPLIT.read().set_index("row")["split"],
        predictions=PREDICTIONS.read(),
        conflicts=duplicates[duplicates["kind"] == "conflict"],
    )
    classifier = TrainedNetwork.load(paths.MODEL.parent, devices.place_again(facts.train))
    found = doubts.find(data, facts, classifier, settings.train_folds)
    with replacing_folder(paths.ERRORS_PICTURES) as folder:
        layer = mistakes.draw(folder, settings, data, found, classifier)
    no_map = f"{facts.model.name} has no spatial feature map"
    tested = len(data.tested())
    MISTAKES.write(found.mistakes)
    SUSPECTS.write(found.suspects)
    NEAR_DUPLICATES.write(found.copies)
    found.figures(tested, settings.pairs, layer or f"left out: {no_map}").write(paths.ERRORS)
    told = "" if layer else f"\nno Grad-CAM: {no_map}"
    following = "python -m darkroom predict PICTURE, or dvc exp run -S train.lr=0.001"
    if len(found.suspects):
        following = (
            f"look at {paths.ERRORS_PICTURES}/suspects.png; put the rows of {paths.SUSPECTS} that you agree with into "
            f"{paths.CORRECTIONS}, and `dvc repro`"
        )
    if worse := shortfall(Evaluation.read(paths.EVALUATE).baselines):
        told += f"\n{worse}: what it suspects means little"
        following = "python -m darkroom check"
    done(
        f"wrote {paths.ERRORS_TABLE} ({len(found.mistakes)} mistakes in {tested:,} test images), {paths.SUSPECTS} "
        f"({len(found.suspects)} suspected labels), {paths.NEAR_DUPLICATES} ({len(found.copies)} pairs) and galleries "
        f"in {paths.ERRORS_PICTURES}{told}",
        following,
    )


if __name__ == "__main__":
    run(main)
