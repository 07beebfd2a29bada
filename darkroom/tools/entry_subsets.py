"""Writes train, val, test and unlabeled as a catalogue entry has them: folders, patterns, lists."""

from collections.abc import Mapping, Sequence

from darkroom.config.catalogue import SUBSETS, Subset
from darkroom.tools import folder_levels
from darkroom.tools.label_sources import Part, Source
from darkroom.tools.subset_parts import Division

Keys = dict[str, str | list[str]]


def subset_keys(
    folders: Sequence[str],
    division: Division,
    sources: Mapping[Subset, Source],
    last: str = "*",
    group_forms: Sequence[str] = (),
) -> Keys:
    """The keys by their subset. `folders` are all that hold pictures, of which patterns must reach those meant alone.

    `last` stands for the names of the files, and `group_forms` are forms of names that say groups, tried before it.
    """
    reached: dict[Subset, list[str]] = {}
    in_tables = any(source.kind == "table" for source in sources.values())
    for subset in SUBSETS:
        part, source = division.parts.get(subset), sources.get(subset)
        if part is None or (division.split and subset != "train"):
            continue
        as_subset: Subset = subset if source is not None or subset == "train" else "unlabeled"
        lists = division.lists.get(subset, [])
        forms = [last]
        if source is not None:
            forms = [source.form] if source.kind == "names" else [*group_forms, last]
        own = set(part.folders)
        others = [folder for folder in folders if folder not in own]
        found = [] if lists and subset != "train" else _patterns(part, source, others, forms, in_tables)
        reached.setdefault(as_subset, []).extend([*found, *lists])
    return {subset: _one_or_all(reached[subset]) for subset in SUBSETS if reached.get(subset)}


def _patterns(
    part: Part, source: Source | None, others: Sequence[str], forms: Sequence[str], in_tables: bool
) -> list[str]:
    label = source.level if source is not None and source.kind == "folders" else None
    group = source.group_level if source is not None else None
    # A plain folder says the label by itself only where no table says it of others.
    plain = not in_tables and len(forms) == 1
    return [
        pattern
        for form in forms
        for pattern in folder_levels.patterns(part.folders, others, label, group, form, plain_folders=plain)
    ]


def _one_or_all(found: Sequence[str]) -> str | list[str]:
    different = list(dict.fromkeys(found))
    return different[0] if len(different) == 1 else different
