"""What `auto` in params.yaml means: the recipe's value, else that of the rule which docs/parameters.md states."""

from typing import Any

from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry

EPOCHS, BATCH, SGD_LR, ADAM_LR, WEIGHT_DECAY = 10, 128, 0.15, 0.002, 5e-4
# Bounds for data sets of few images, see `params.load`.
FEWEST_STEPS, MOST_EPOCHS, FEWEST_BATCHES, SMALLEST_BATCH = 300, 100, 16, 8
# From pretrained weights: first the head alone, which costs little, then all layers; steps and most epochs of each.
HEAD_STEPS, MOST_HEAD_EPOCHS, ALL_STEPS, MOST_ALL_EPOCHS, FEWEST_ALL_EPOCHS = 300, 30, 90, 8, 3


SHAPING = ("input_size", "weights")  # keys of `model` on which rules depend
FROM_WEIGHTS: dict[str, Any] = {
    "train.batch_size": 32,
    "train.optimizer": "adamw",
    "train.lr": ADAM_LR,
    "train.weight_decay": 0.05,
    "train.freeze_statistics": True,
}


def rules(entry: Entry, input_size: Any = None, weights: Any = None) -> dict[str, Any]:
    """The value of each key that may be `auto`, for use if the data set's recipe does not name the key.

    `input_size` and `weights` are those of `model`, where they are known and not `auto`.
    """
    common: dict[str, Any] = {
        "split.use_given_test": "auto",  # the split finds out whether there is one
        "split.use_given_val": "auto",
        "split.stable": False,
        "model.name": "cnn",
        "model.weights": None,
        "model.input_size": entry.image_size,
        "model.layers": _layers(_shorter_side(entry, input_size)),
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
        "train.weight_decay": WEIGHT_DECAY,
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
    return common if weights is None else common | FROM_WEIGHTS


def _shorter_side(entry: Entry, input_size: Any) -> int:
    """That of what the network sees. A size that cannot be is passed over: the check of the parameters tells of it."""
    given = input_size if isinstance(input_size, list) else [input_size]
    return min([side for side in given if isinstance(side, int) and side > 0] + [*entry.shape[:2]])


def _layers(side: int) -> str:
    """`model.layers` for an image's shorter side in pixels: the last feature map is some 5 to 9 pixels wide."""
    if side < 16:
        return "32-64P-64" if side > 1 else "32-64-64"
    pools = 2
    while side >> pools > 9:
        pools += 1
    # Each halving beyond the second adds a block in front, a narrow one, for it works on large maps.
    stem = [f"{width}P" for width in ([16, 32, 32, 32, 32, 32, 32, 32, 32][: pools - 2])]
    return "-".join([*stem, "32P", "64", "64P", "128", "128"])


def replace(content: dict[str, Any], entry: Entry, name: str) -> tuple[set[str], set[str]]:
    """Replace each `auto` in `content`, that of params.yaml, in place.

    Returns two sets of dotted keys: those whose value is the recipe's, and those whose value is the rule's. `name` is
    how messages call the entry («datasets.yaml: digits»). Raises UserError if the recipe names a key that cannot be
    `auto`.
    """
    model = content.get("model")
    given = (
        {key: entry.recipe.get(f"model.{key}") if model.get(key) == "auto" else model.get(key) for key in SHAPING}
        if isinstance(model, dict)
        else {}
    )
    defaults = rules(entry, *(given.get(key) for key in SHAPING))
    for key in entry.recipe:
        if key not in defaults:
            raise UserError(f"{name}.recipe.{key} is not a key that may be auto: known are {', '.join(defaults)}")
    from_recipe, by_rule = set[str](), set[str]()
    for key, rule in defaults.items():
        section, _, last = key.rpartition(".")
        settings = content.get(section) if section else content
        if isinstance(settings, dict) and settings.get(last) == "auto":
            settings[last] = entry.recipe.get(key, rule)
            (from_recipe if key in entry.recipe else by_rule).add(key)
    return from_recipe, by_rule
