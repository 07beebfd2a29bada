"""What `auto` in params.yaml means: the value of the recipe, else of the rule that docs/parameters.md states."""

from typing import Any

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry

# Of a training for which nothing else is asked.
EPOCHS, BATCH, SGD_LR, ADAM_LR = 10, 128, 0.15, 0.002
FEWEST_STEPS, MOST_EPOCHS, FEWEST_BATCHES, SMALLEST_BATCH = 300, 100, 16, 8  # where images are few


def rules(entry: Entry) -> dict[str, Any]:
    """What `auto` means for each key that may be `auto`, where the data set's recipe says nothing."""
    return {
        "split.use_given_test": False,
        "model.name": "cnn",
        "model.layers": _layers(min(entry.shape[:2])),
        "model.batch_norm": True,
        "model.activation": "relu",
        "model.pooling": "max",
        "model.hidden": [],
        "model.hidden_activation": "relu",
        "model.dropout": 0.0,
        "augment": [],
        "train.epochs": EPOCHS,
        "train.batch_size": BATCH,
        "train.optimizer": "sgd",
        "train.lr": SGD_LR,
        "train.weight_decay": 5e-4,
        "train.schedule": "cosine",
        "train.warmup": 0.2,
        "train.label_smoothing": 0.1,
        "train.mixup": 0.0,
        "train.ema": 0.0,
        "train.freeze_epochs": 0,
        "train.freeze_statistics": False,
        "train.threads": 0,
        "train.portable": False,
    }


def _layers(side: int) -> str:
    """A net whose last feature map is some 5 to 9 pixels wide, whatever the image's side."""
    if side < 16:
        return "32-64P-64" if side > 1 else "32-64-64"
    pools = 2
    while side >> pools > 9:
        pools += 1
    # Each halving beyond the second is one more block in front; images that large start narrow.
    stem = [f"{width}P" for width in ([16, 32, 32, 32, 32, 32, 32, 32, 32][: pools - 2])]
    return "-".join([*stem, "32P", "64", "64P", "128", "128"])


def replace(content: dict[str, Any], entry: Entry, name: str) -> tuple[set[str], set[str]]:
    """Replace each `auto` in the content of params.yaml; the keys whose value is from the recipe, and by the rule.

    `name` is what the user calls the entry («datasets.yaml: digits»). Raises UserError for a recipe's key that has no
    `auto`.
    """
    defaults = rules(entry)
    for key in entry.recipe:
        if key not in defaults:
            raise UserError(f"{name}.recipe.{key} is not a key that may be auto: known are {', '.join(defaults)}")
    from_recipe, by_rule = set[str](), set[str]()
    for key, rule in defaults.items():
        section, _, last = key.rpartition(".")
        place = content.get(section) if section else content
        if isinstance(place, dict) and place.get(last) == "auto":
            place[last] = entry.recipe.get(key, rule)
            (from_recipe if key in entry.recipe else by_rule).add(key)
    return from_recipe, by_rule
