"""Decides what labels the pictures to learn from, and asks where two readings fit."""

from collections.abc import Sequence

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.tools import folder_levels
from darkroom.tools.asking import Asking
from darkroom.tools.folder_levels import Level
from darkroom.tools.label_sources import (
    NEARLY_ALL,
    Part,
    Source,
    are_numbers,
    by_folders,
    by_names,
    by_tables,
    is_alone,
    of_known_classes,
    says_label,
    says_other,
    without_twins,
)  # fmt: skip
from darkroom.tools.label_tables import NamingTable, counts, finer, same

ENOUGH = 0.3  # of the pictures have a row in a table that counts


def for_training(part: Part, tables: Sequence[NamingTable], asking: Asking, why_not: Sequence[str] = ()) -> Source:
    """What labels the pictures to learn from. Raises UserError where nothing does, or no classifier learns from it.

    `why_not` says of other tables why they name no pictures, for that error.
    """
    folders = by_folders(part)
    columns, refused = by_tables(part, tables)
    columns = [one for one in columns if sum(label is not None for label in one.labels) >= ENOUGH * len(part.paths)]
    named = [one for one in columns if says_label(one)]
    # 1. A column that tells the same pictures apart as folders do confirms these.
    confirmed = [one for one in folders if any(same(one.labels, column.labels) for column in columns)]
    if len(folders) > 1 and len(confirmed) == 1:
        return confirmed[0]
    if folders:
        chosen = folders[0] if len(folders) == 1 else _level(part, folders, without_twins(named or columns), asking)
        if chosen.kind != "folders":
            return chosen
        others = [one for one in without_twins(named) if not same(one.labels, chosen.labels)]
        others = [one for one in others if not _is_constant_or_unique(one)]
        if not others or chosen in confirmed:
            return chosen
        return _folder_or_column(chosen, others, asking)
    # 2. Columns alone; or names of files, which a column of numbers may confirm.
    wanted = {column.key for table in tables if table.is_sample for column in table.columns}
    predicted = [one for one in columns if isinstance(one.column, str) and one.column in wanted]
    if len(predicted) == 1:  # what the sample of a submission asks for
        return predicted[0]
    chosen_column = _of_columns(part, columns, refused, asking)
    if chosen_column is not None:
        return chosen_column
    forms = by_names(part)
    if forms:
        return _one_of("label", "which part of the names of the files is the class", forms, asking)
    raise UserError(_nothing(part) + (f"; {why_not[0]}" if why_not else ""))


def _of_columns(part: Part, columns: Sequence[Source], refused: Sequence[str], asking: Asking) -> Source | None:
    """The column that is the label, by its name or because it is the only one; None where tables give no label."""
    able = without_twins([one for one in columns if says_label(one)])
    if not able:
        others = without_twins([one for one in columns if not says_other(one)])
        words = [one for one in others if not are_numbers(one)]
        if refused and not words:
            raise UserError(refused[0])
        able = others or without_twins(columns)
        if len(able) == 1 and not is_alone(able[0]):
            options = [(able[0].word, able[0].text)]
            asking.pick("label", f"is this the label? its name does not say so: {able[0].text}", options)
            return able[0]
    if able and all(are_numbers(one) for one in able):
        for form in by_names(part):
            if not are_numbers(form) and any(same(form.labels, one.labels) for one in able):
                return form
    return _one_of("label", "which column is the label?", able, asking) if able else None


def for_others(part: Part, training: Source, tables: Sequence[NamingTable]) -> Source | None:
    """What labels the makers' val or test, by the classes of the training; None where nothing does."""
    classes = set(training.classes)
    columns = [one for one in by_tables(part, tables)[0] if _known(one, classes)]
    columns.sort(key=lambda one: (training.table is None or one.column != training.column, not says_label(one)))
    folders = of_known_classes(part, classes)
    forms = by_names(part, training.form) if training.kind == "names" else by_names(part, known=classes)
    forms = [one for one in forms if _known(one, classes)]
    if training.kind == "table":
        return next(iter(columns), None) or folders
    if training.kind == "folders" and folders is None and not columns:
        # Folders of the same number and form, but of other names, are classes too: the check will say which.
        own = by_folders(part)
        shared = [one for one in own if classes & set(one.classes)]
        folders = shared[-1] if shared else None
    return folders or next(iter(columns), None) or next(iter(forms), None)


def _known(source: Source, classes: set[str]) -> bool:
    known = sum(label in classes for label in source.labels)
    return known >= NEARLY_ALL * len(source.labels)


def _is_constant_or_unique(source: Source) -> bool:
    classes = counts(source.labels)
    return len(classes) < 2 or 2 * len(classes) > classes.total()


def _level(part: Part, folders: Sequence[Source], columns: Sequence[Source], asking: Asking) -> Source:
    """Which of several levels of folders is the class, or which column."""
    options = [(one.word, f"{one.text}, level {(one.level or 0) + 1} of the folders, is the class") for one in folders]
    sources = list(folders)
    inner, outer = folders[-1], folders[-2]
    names = [Level(one.level, tuple(one.classes)) for one in (outer, inner) if one.level is not None]
    if folder_levels.crossed(part.folders, *names):
        what = "below several folders of the other"
        grouped = Source("folders", f"{inner.word}_grouped", inner.text, inner.labels, inner.level, outer.level)
        sources = [*sources[::-1], grouped]
        options = [*options[::-1], (grouped.word, f"the same, and each of {outer.text} is a group that stays together")]
    else:
        what = "each below one folder of the other"
        sources, options = sources[::-1], options[::-1]
    sources += columns
    options += [(one.word, one.text) for one in columns]
    text = f"which level of the folders is the class? {inner.text} lie {what}, {outer.text}"
    return sources[asking.pick("label", text, options)]


def _folder_or_column(folders: Source, columns: Sequence[Source], asking: Asking) -> Source:
    options = [folders, *columns]
    coarse = [one for one in columns if finer(folders.labels, one.labels)]
    if coarse and all(any(letter.isdigit() for letter in name) for name in folders.classes):
        options = [*coarse, folders, *(one for one in columns if one not in coarse)]
    text = f"what is the class? {folders.text} say one thing, and {columns[0].text} another"
    return _one_of("label", text, options, asking)


def _one_of(name: str, text: str, sources: Sequence[Source], asking: Asking) -> Source:
    if len(sources) == 1:
        return sources[0]
    words: list[str] = []
    for source in sources:
        word = source.word if source.kind != "folders" or len(sources) < 2 else "folders"
        words.append(word if word not in words else f"{word}{len(words) + 1}")
    return sources[asking.pick(name, text, [(word, one.text) for word, one in zip(words, sources, strict=True)])]


def _nothing(part: Part) -> str:
    names = listed(path.rpartition("/")[2] for path in part.paths[:3])
    own = {folder.rpartition("/")[2] for folder in part.folders}
    one = f"all of them lie in {own.pop()!r}, one class alone, and" if len(own) == 1 and "" not in own else "they"
    return (
        f"{part.size} of {part.where} have no labels of two classes or more: {one} lie in no "
        f"folders of classes, no table names them and a class, and their names ({names}) show none: put the pictures "
        "of each class into a folder of its name, or add a table with the columns image and label"
    )
