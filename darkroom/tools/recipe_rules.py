"""The recipe that `darkroom add` writes; the rules for `auto` decide all else."""

from dataclasses import replace

from darkroom.base.words import counted
from darkroom.tools.entry_draft import Draft, Evidence

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
RISK = 0.001  # that a class has no picture on some side


def with_recipe(found: Draft) -> Draft:
    """The draft with a recipe: `split.stable`, so that more pictures move no old one, where classes are large enough.

    A stable side follows from each picture (or group) alone, so that a small class may by chance have none on a side.
    """
    drawn = [subset for subset in SHARES if subset == "train" or subset not in found.entry]
    total = sum(SHARES[subset] for subset in drawn)
    shares = [SHARES[subset] / total for subset in drawn] if len(drawn) > 1 else []
    risk = sum((1 - share) ** units for units in found.units for share in shares)
    if risk <= RISK:
        return replace(found, entry=found.entry | {"recipe": {"split.stable": True}})
    parts = "group" if _has_groups(found) else "picture"
    why = f"the smallest class has {counted(min(found.units), parts)}, and split.stable may leave it without one"
    return replace(found, evidence=(*found.evidence, Evidence("split", "shuffled", why)))


def _has_groups(found: Draft) -> bool:
    return any(one.key == "group" for one in found.evidence)
