"""Look inside the model (filters, activations, dead channels, features), and fit what tells unlike pictures."""

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_tables import PREDICTIONS
from darkroom.dataset.packed import load_classes, load_images, load_index, load_split


def main() -> None:
    settings, facts = load()[0].inside, ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    from darkroom.analysis import network_findings
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.drawing import inside_pictures
    from darkroom.network import devices

    loaded = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
    classifier = loaded.with_kept_features(facts)
    predictions = PREDICTIONS.read("row", "split", "label", "predicted")
    data = network_findings.Data(
        load_images(),
        load_index(),
        load_classes(),
        train=load_split("train"),
        val=load_split("val"),
        tested=predictions[predictions["split"] == "test"],
    )
    found = network_findings.find(classifier, data, settings)
    familiarity = network_findings.familiarity(classifier, data, facts, settings)
    with replacing_folder(paths.INSIDE_PICTURES) as folder:
        inside_pictures.write(folder, found, data)
    familiarity.save(paths.FAMILIARITY)
    found.figures().write(paths.INSIDE)
    for picture, why in found.left_out.items():
        print(f"left out {picture}: {why}")
    neighbours, head = found.accuracies
    done(
        f"wrote {paths.INSIDE} (accuracy of the five nearest neighbours {neighbours:.2%}, of the network {head:.2%}), "
        f"pictures in {paths.INSIDE_PICTURES}, and {paths.FAMILIARITY}",
        "python -m darkroom predict PICTURE",
    )


if __name__ == "__main__":
    run(main)
