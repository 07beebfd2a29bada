"""The recipe that `darkroom add` writes; the rules for `auto` decide all else."""

from dataclasses import replace
from typing import Any

from darkroom.base.words import counted
from darkroom.tools.entry_draft import Draft, Evidence

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
RISK = 0.001  # that a class has no picture on some side
# A network that is small enough for a processor, and whose weights may be used in a product (Apache-2.0).
NETWORK, SEEN, STORED = "timm/tf_efficientnet_lite0", 224, 256  # it was made for the middle seven eighths of a photo
PHOTO = 96  # sides from which pretrained weights are worth it: they were made for larger pictures


def with_recipe(found: Draft) -> Draft:
    """The draft with a recipe: a network for photos, and how the pictures are divided."""
    return _with_stable_split(_with_weights(found))


def _with_weights(found: Draft) -> Draft:
    """Colour pictures of some size get a pretrained network and mirrored copies; all else keeps the rules of `auto`."""
    entry = found.entry
    side = entry.get("image_size")
    if entry.get("channels") != 3 or not isinstance(side, int) or side < PHOTO:
        return found
    recipe: dict[str, Any] = {"model.name": NETWORK, "model.weights": "DEFAULT"}
    evidence = list(found.evidence)
    if side == SEEN and entry.get("resize") == "crop":
        entry = entry | {"image_size": STORED}
        recipe["model.input_size"] = SEEN
        why = f"{SEEN} pixels are seen of them: parts in training, else the middle, as the network was made for"
        evidence = [
            replace(one, value=str(STORED), because=f"{one.because}; {why}") if one.key == "image_size" else one
            for one in evidence
        ]
    recipe["augment"] = [{"flip": {}}]
    evidence.append(
        Evidence(
            "recipe",
            NETWORK,
            "colour pictures learn best from weights that have seen a million photos; they are fetched once, and "
            "`-S model.name=cnn -S model.weights=null` does without",
        )
    )
    evidence.append(
        Evidence("augment", "flip", "photos may be mirrored; take it out where left and right mean something")
    )
    return replace(found, entry=entry | {"recipe": recipe}, evidence=tuple(evidence))


def _with_stable_split(found: Draft) -> Draft:
    """The draft with `split.stable`, so that more pictures move no old one, where classes are large enough.

    A stable side follows from each picture (or group) alone, so that a small class may by chance have none on a side.
    """
    drawn = [subset for subset in SHARES if subset == "train" or subset not in found.entry]
    total = sum(SHARES[subset] for subset in drawn)
    shares = [SHARES[subset] / total for subset in drawn] if len(drawn) > 1 else []
    risk = sum((1 - share) ** units for units in found.units for share in shares)
    if risk <= RISK:
        recipe = found.entry.get("recipe", {}) | {"split.stable": True}
        return replace(found, entry=found.entry | {"recipe": recipe})
    parts = "group" if _has_groups(found) else "picture"
    why = f"the smallest class has {counted(min(found.units), parts)}, and split.stable may leave it without one"
    return replace(found, evidence=(*found.evidence, Evidence("split", "shuffled", why)))


def _has_groups(found: Draft) -> bool:
    return any(one.key == "group" for one in found.evidence)
