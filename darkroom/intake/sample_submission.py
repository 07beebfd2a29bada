"""A sample submission understood: which picture each of its rows is for, and what it wants of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS
from darkroom.base.words import counted
from darkroom.config.catalogue import Entry
from darkroom.intake import sample_answers, sample_ids, sample_text
from darkroom.intake.sample_answers import Answers
from darkroom.intake.sample_ids import Ids
from darkroom.intake.sample_text import SampleText


@dataclass(frozen=True)
class SampleSubmission:
    """The text of a sample, and what its rows and columns mean."""

    text: SampleText
    ids: Ids
    answers: Answers

    @property
    def name(self) -> str:
        """The name of its file."""
        return PurePosixPath(self.text.path).name

    @property
    def pictures(self) -> NDArray[np.int64]:
        """The numbers of the unlabelled pictures that have a row, ascending."""
        return np.sort(self.ids.places)

    @property
    def rows(self) -> NDArray[np.int64]:
        """For each row, where its picture stands in `pictures`."""
        return np.searchsorted(self.pictures, self.ids.places)

    def in_words(self) -> str:
        """What was understood: `20 rows; a probability for each of 5 classes`."""
        return f"{counted(len(self.ids.places), 'row')}; {self.answers.understood}"


def understand(data: bytes, entry: Entry, classes: Sequence[str], pictures: Sequence[str]) -> SampleSubmission:
    """The sample that an entry names, from its bytes; `pictures` are the paths of the unlabelled ones.

    Raises UserError, one sentence, if it is no such table, or does not fit the pictures or the classes.
    """
    assert entry.sample is not None
    path = entry.sample.sample
    text = sample_text.read(data, path)
    if not len(pictures):
        raise UserError(
            f"{DATASETS} names the sample submission {path}, but no picture is without a label: say with `unlabeled` "
            "which ones it is for, or leave `submission` out"
        )
    ids = sample_ids.find(text, pictures)
    names = sample_answers.Names.of(classes, entry)
    return SampleSubmission(text, ids, sample_answers.find(text, ids, names, entry.sample.probability))
