"""Classify the images without labels, and write the table that a competition wants."""

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.classifier.submission import Predictions
from darkroom.classifier.wanted_table import WantedTable
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.dataset.packed import load_classes, load_images, load_index
from darkroom.drawing import contact_sheet, style

SHEET = "contact_sheet.png"


def main() -> None:
    params, entry = load()
    images, index, classes = load_images(), load_index(), load_classes()
    wanted = WantedTable.of(entry, classes, index)
    rows, sample = wanted.rows, wanted.sample
    found = Predictions()
    if len(rows):  # without images torch is not needed; its import would take seconds
        facts = ModelFacts.read(paths.MODEL)
        torch_setup.torch_for_model(facts.train)
        from darkroom.classifier import voting
        from darkroom.classifier.trained_network import TrainedNetwork
        from darkroom.classifier.unlabelled import classify
        from darkroom.network import devices

        classifier = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
        vote = voting.vote_of(facts, params.evaluate, classifier)
        found = classify(classifier, images, rows, vote, wanted.classes)
    wanted.write(paths.SUBMISSION, found)
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
