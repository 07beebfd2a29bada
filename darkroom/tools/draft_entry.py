"""From an archive to the draft of its catalogue entry, with the evidence for each key and what is open."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.config.catalogue import Subset
from darkroom.tools import (
    choose_labels,
    container_parts,
    folder_levels,
    name_patterns,
    picture_facts,
    sample_form,
    subset_parts,
    unread_files,
)
from darkroom.tools.asking import Asking
from darkroom.tools.draft_check import Tried, tried
from darkroom.tools.entry_draft import Choice, Draft, Evidence, Question
from darkroom.tools.entry_subsets import subset_keys
from darkroom.tools.group_columns import group_columns, nested
from darkroom.tools.label_sources import Part, Source
from darkroom.tools.label_tables import SAMPLE, NamingTable, naming_tables
from darkroom.tools.picture_copies import find_copies
from darkroom.tools.picture_masks import NO_MASK, find_masks
from darkroom.tools.subset_parts import Division
from darkroom.tools.survey_archive import Survey, contents

ORDER = ("train", "val", "test", "unlabeled", "labels", "classes", "min_images", "channels", "image_size", "resize",
         "range", "submission")  # fmt: skip
SMALLEST = 3  # pictures of a class, which a split into three needs


def draft(seen: Survey, chosen: dict[str, str]) -> Draft:
    """Draft an entry for the archive, or the folder, that was seen. `chosen` are answers by the name of their question.

    Raises UserError where no classifier can learn from it, and for a wrong answer.
    """
    asking = Asking(chosen)
    made = _Maker(seen, asking).draft()
    questions = (
        Question(one.name, one.text, tuple(Choice(*option) for option in one.options)) for one in asking.open()
    )
    return replace(made, questions=tuple(questions))


class _Maker:
    """Puts one draft together, with the answers that are given."""

    def __init__(self, seen: Survey, asking: Asking) -> None:
        self.seen, self.asking = seen, asking
        self.entry: dict[str, Any] = {}
        self.evidence: list[Evidence] = []
        self.unused: list[tuple[str, str]] = []
        self.settings: dict[str, dict[str, Any]] = {}  # of tables, by file
        self.group_forms: list[str] = []  # of names

    def draft(self) -> Draft:
        """The draft, its questions left out."""
        seen = self.seen
        inside, problems = container_parts.look(seen)
        if inside and len(seen.pictures) < sum(one.pictures for one in inside) / 10:
            return self._of_containers(inside)
        if not len(seen.pictures):
            why = "; ".join(problems) or unread_files.kinds(seen)
            raise UserError(f"{seen.source} holds no pictures that can be read: {why}")
        unread_files.refuse_labels_of_single_pictures(seen)
        # 1. What is no data: masks, copies.
        wanted = self._wanted()
        # 2. The makers' subsets, and the tables that name the pictures.
        division = subset_parts.by_names_of_folders(seen.pictures, wanted, self.asking)
        paths = [path for part in division.parts.values() for path in part.paths]
        tables, others = naming_tables(seen.tables, paths)
        subset_parts.by_tables(division, tables)
        subset_parts.join_if_one_class(division, seen.pictures, wanted, tables, self.asking)
        # 3. What labels each.
        why_not = [why for why in others.values() if "names pictures" in why]
        sources = self._sources(division, tables, [*unread_files.may_hold_labels(seen), *why_not])
        self._groups(division, tables, sources)
        self._subsets(division, sources)
        self._labels(division, sources)
        return self._finished(self._tried(), others)

    def _of_containers(self, inside: list[container_parts.Inside]) -> Draft:
        kept, self.unused = container_parts.without_copies(inside, self.seen)
        keys, self.evidence = container_parts.entry(kept, self.seen, self.asking)
        self.entry |= keys
        return self._finished(self._tried(containers=True), {})

    def _wanted(self) -> list[int]:
        pictures = self.seen.pictures
        masks = find_masks(pictures)
        for place in sorted(masks.folders):
            self.unused.append(
                (pictures.folders[place], f"{counted(int(pictures.counts[place]), 'mask')} of other pictures")
            )
        for place, count in sorted(masks.among.items()):
            self.unused.append((pictures.folders[place], f"{counted(count, 'mask')} beside their pictures"))
        self.last = NO_MASK if masks.among else "*"
        wanted = [place for place in range(len(pictures.folders)) if place not in masks.folders]
        copies = find_copies(self.seen, wanted, self.asking)
        for place, why in sorted(copies.items()):
            self.unused.append((pictures.folders[place], f"{counted(int(pictures.counts[place]), 'picture')}: {why}"))
        return [place for place in wanted if place not in copies]

    def _sources(self, division: Division, tables: list[NamingTable], why_not: list[str]) -> dict[Subset, Source]:
        training = choose_labels.for_training(division.parts["train"], tables, self.asking, why_not)
        self.evidence.append(Evidence("labels", training.kind, training.text))
        if training.level is not None and self._without_strays(division, training.level):
            training = choose_labels.for_training(division.parts["train"], tables, self.asking)
        sources: dict[Subset, Source] = {"train": training}
        for subset in ("val", "test"):
            part = division.parts.get(subset)
            if part is None:
                continue
            source = choose_labels.for_others(part, training, tables)
            if source is not None:
                sources[subset] = source
                continue
            self.evidence.append(Evidence("unlabeled", part.where, f"{part.size} without labels"))
        return sources

    def _without_strays(self, division: Division, level: int) -> bool:
        """Leave out folders that lie less deep than the classes, as examples beside these do."""
        part = division.parts["train"]
        stray = [folder for folder in part.folders if folder_levels.part(folder, level) is None]
        places = [self.seen.pictures.folders.index(folder) for folder in part.folders if folder not in set(stray)]
        if stray and not division.lists:
            for folder in stray:
                self.unused.append((folder or ".", "pictures that lie in no folder of a class, as the others do"))
            division.parts["train"] = subset_parts.part_of(self.seen.pictures, "train", places)
            return True
        return False

    def _groups(self, division: Division, tables: list[NamingTable], sources: dict[Subset, Source]) -> None:
        part, training = division.parts["train"], sources["train"]
        found = group_columns(part, tables, training)
        if not found:
            if not {"val", "test"} <= sources.keys():  # else no split of ours tears anything apart
                self._groups_in_names(part, training)
            return
        place = 0
        if not nested(found):
            options = [(str(one.key), f"column {one.key} of {one.table.file}: {one.because}") for one in found]
            place = self.asking.pick("group", "several columns say which pictures belong together", options)
        chosen = found[place]
        self._table(chosen.table)["group"] = chosen.key
        self.evidence.append(Evidence("group", f"{chosen.table.file}, column {chosen.key}", chosen.because))
        for subset in ("val", "test"):
            own = division.parts.get(subset)
            for one in group_columns(own, tables, sources[subset]) if own and subset in sources else ():
                if one.key == chosen.key:
                    self._table(one.table)["group"] = one.key

    def _groups_in_names(self, part: Part, training: Source) -> None:
        """Prefixes that repeat may be patients: asked, never taken by themselves."""
        if training.kind == "names" or training.group_level is not None or self.last != "*":
            return
        by_label: dict[str, list[str]] = {}
        for path, label in zip(part.paths, training.labels, strict=True):
            if label is not None:
                by_label.setdefault(label, []).append(path.rpartition("/")[2])
        forms, examples = name_patterns.group_forms(by_label)
        if not forms:
            return
        text = f"several pictures begin alike ({listed(examples)}): do they show the same person or thing?"
        options = [
            ("none", "no: each picture stands for itself"),
            ("prefix", f"yes: pictures that begin alike are a group, which no split tears apart ({listed(forms)})"),
        ]
        if self.asking.pick("group", text, options):
            self.group_forms = forms

    def _table(self, table: NamingTable) -> dict[str, Any]:
        own = self.settings.setdefault(table.file, {"file": table.file})
        if not table.table.numbered:
            own["image"] = table.image
        return own

    def _subsets(self, division: Division, sources: dict[Subset, Source]) -> None:
        """Write train, val, test and unlabeled, and say what each is."""
        pictures = self.seen.pictures
        self.entry.update(subset_keys(pictures.folders, division, sources, self.last, self.group_forms))
        self.evidence += division.evidence
        for subset, part in division.parts.items():
            if subset in self.entry and subset not in division.lists:
                because = f"{part.size} in {counted(len(part.folders), 'folder')} below {part.where}"
                self.evidence.append(Evidence(subset, _text(self.entry[subset]), because))
        for place in division.outside:
            why = "a folder beside those of train, val and test"
            self.unused.append(
                (pictures.folders[place] or ".", f"{counted(int(pictures.counts[place]), 'picture')}: {why}")
            )

    def _labels(self, division: Division, sources: dict[Subset, Source]) -> None:
        for source in sources.values():
            if source.table is not None:
                own = self._table(source.table)
                if not source.table.table.numbered:
                    own["label"] = source.column
        if division.split:
            table, settings = division.split
            self._table(table).update(settings)
        found = [{key: one[key] for key in ("file", "image", "label", "group", "split", "splits") if key in one}
                 for one in self.settings.values()]  # fmt: skip
        if found:
            self.entry["labels"] = found[0] if len(found) == 1 else found

    def _tried(self, *, containers: bool = False) -> Tried:
        """What the pipeline makes of the entry; also completes the entry with what follows from that."""
        if "unlabeled" in self.entry and (sample := sample_form.find(self.seen)):
            self.entry["submission"] = sample
        found = tried({**self.entry, "channels": 3, "image_size": 32}, self.seen, containers=containers)
        self._check(found)
        self._sample(found)
        return found

    def _sample(self, found: Tried) -> None:
        if path := self.entry.get("submission"):
            form, why = sample_form.submission(self.entry, found, self.seen, self.asking)
            self.entry["submission"] = form
            if form is None:
                self.unused.append((path, why))
            else:
                self.evidence.append(Evidence("submission", path, why))

    def _check(self, found: Tried) -> None:
        train = {label for subset, label in found.counts if subset == "train"}
        if len(train) < 2:
            raise UserError(f"the pictures to learn from are of one class ({listed(train)}), and two are needed")
        small = sorted(label for label, count in found.classes.items() if count < SMALLEST)
        if small:
            options = [
                ("leave_out", f"leave them out (min_images: {SMALLEST})"),
                ("keep", "keep them: split will stop"),
            ]
            text = f"{counted(len(small), 'class', 'classes')} of fewer than {SMALLEST} pictures ({listed(small)})"
            if self.asking.pick("small", text, options) == 0:
                self.entry["min_images"] = SMALLEST
        for problem, count in found.problems.items():
            self.unused.append((found.rejected[problem], f"{counted(count, 'picture')}: {problem}"))
        for warning in found.warnings:
            self.evidence.append(Evidence("classes", counted(len(found.classes), "class", "classes"), warning))

    def _seen_already(self, found: Tried) -> list[bytes]:
        """Pictures that the survey has read, if they are of nearly all classes."""
        own = [(key, path) for key, paths in found.names.items() for path in paths if path in self.seen.read]
        if len({key for key, _ in own}) < 0.8 * len(found.names) or len(own) < 20:
            return []
        return [self.seen.read[path] for _, path in own[: picture_facts.SAMPLE]]

    def _finished(self, found: Tried, tables: dict[str, str]) -> Draft:
        paths = [path for names in found.names.values() for path in names]
        order = np.random.default_rng(0).permutation(len(paths))[: picture_facts.SAMPLE]
        wanted = [paths[place] for place in sorted(order)]
        data = found.looked or self._seen_already(found) or contents_of(self.seen, wanted)
        facts = picture_facts.facts(data)
        self.entry |= facts.keys
        if not {"val", "test"} & self.entry.keys():
            self.evidence += unread_files.unused_divisions(tables)
        said = {place for place, _ in self.unused}
        self.unused += [
            (path, "it names no pictures" if "names pictures" in why else why.removeprefix(f"{path} "))
            for path, why in sorted(tables.items())
            if path not in said and not SAMPLE.search(path)
        ]
        for (folder, reason), passed in sorted(found.sieve.passed.items()):
            if folder not in said:
                self.unused.append((folder, f"{counted(passed.files, 'file')}: {reason}"))
        used = found.counts.total()
        entry = {key: self.entry[key] for key in ORDER if self.entry.get(key) is not None}
        return Draft(
            entry, (*self.evidence, *facts.evidence), (), found.samples(), tuple(self.unused), used,
            facts.megapixels, found.units(),
        )  # fmt: skip


def contents_of(seen: Survey, wanted: list[str]) -> Iterator[bytes]:
    """The contents of some pictures."""
    return (data for _, data in contents(seen.source, wanted, seen.limits))


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
