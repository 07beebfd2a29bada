"""Train the network, and keep the weights of the epoch that is best on the split val."""

from functools import partial

from darkroom.base import torch_setup
from darkroom.base.console import done, run
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, load
from darkroom.dataset.packed import load_split


def main() -> None:
    params, entry = load(images=len(load_split("train")))
    settings = params.train
    # This comes before any import of torch, which reads some settings when it loads.
    torch_setup.torch_for(threads=settings.threads, portable=settings.portable, processes=settings.devices)
    from darkroom.training.peers import together

    with together():
        train(params, entry)


def train(params: Params, entry: Entry) -> None:
    """Train on the packed data set, write model and figures, record the run. One of several processes reports it."""
    from darkroom.tracking import recording
    from darkroom.training import trainer

    trained = trainer.train(params, entry, partial(recording.training, params))
    if trained is not None:
        done(trained.in_words(), "dvc repro evaluate, or dvc repro curves for what the training looked like")


if __name__ == "__main__":
    run(main)
