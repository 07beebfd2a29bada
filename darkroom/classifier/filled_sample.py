"""The sample submission with predictions in place of its own: byte for byte the same but for them."""

from collections.abc import Iterator
from pathlib import Path

from darkroom.base.errors import UserError
from darkroom.base.files import replacing
from darkroom.classifier.submission import Predictions
from darkroom.intake import sample_text
from darkroom.intake.sample_submission import SampleSubmission
from darkroom.intake.sample_text import value


def write(path: Path, sample: SampleSubmission, found: Predictions) -> None:
    """Write the table; predictions are of the sample's `pictures`, in their order, and of the classes that it wants.

    The file appears only if it passes `check`. Raises UserError if a label has letters that the sample's encoding
    lacks, or if a probability is no number.
    """
    text = sample.text
    with replacing(path) as partial:
        with partial.open("wb") as file:
            file.write(text.mark)
            for line in _lines(sample, found):
                try:
                    file.write(line.encode(text.encoding))
                except UnicodeEncodeError as error:
                    raise UserError(
                        f"{text.path} is {text.encoding.upper()}, which lacks letters of a label "
                        f"({error.object.strip()!r}): save the sample as UTF-8"
                    ) from None
        check(partial.read_bytes(), sample)


def _lines(sample: SampleSubmission, found: Predictions) -> Iterator[str]:
    """The lines of the sample with predictions in their cells."""
    answers, separator = sample.answers, sample.text.separator
    is_header, rows = sample.ids.has_header, iter(sample.rows)
    for line in sample.text.lines():
        cells = line.cells
        if cells and not is_header:
            row = next(rows)
            if answers.spelled:
                new = [answers.spelled[found.best[row]]]
            else:
                new = [_written(one) for one in found.probabilities[row].tolist()]
            for column, one in zip(answers.columns, new, strict=True):
                one = one.replace(".", ",") if answers.comma else one
                cells[column] = sample_text.replaced(cells[column], one, separator)
        is_header = is_header and not cells
        yield (separator.join(cells) if cells else line.blank) + line.ending


def _written(probability: float) -> str:
    """A probability with the nine digits that tell numbers of 32 bits apart."""
    return f"{probability:.9g}"


def check(written: bytes, sample: SampleSubmission) -> None:
    """Raise UserError unless a table has the sample's form: its header, ids, order, columns, and sound predictions."""
    text, answers = sample.text, sample.answers
    ours = sample_text.SampleText(text.path, written, text.mark, text.encoding, text.separator)
    is_header, known = sample.ids.has_header, set(answers.spelled)
    try:
        for own, theirs in zip(ours.lines(), text.lines(), strict=True):
            same = [one for place, one in enumerate(own.cells) if is_header or place not in answers.columns]
            wanted = [one for place, one in enumerate(theirs.cells) if is_header or place not in answers.columns]
            new = [] if is_header else [value(own.cells[place]) for place in answers.columns if own.cells]
            if same != wanted or len(own.cells) != len(theirs.cells) or own.ending != theirs.ending:
                raise ValueError(f"line {own.number:,} differs from the sample's")
            for one in new:
                if not (one in known if known else 0 <= float(one.replace(",", ".")) <= 1):
                    raise ValueError(f"line {own.number:,} holds {one!r}")
            is_header = is_header and not own.cells
    except ValueError as error:
        raise UserError(
            f"the predictions do not take the form of {text.path} ({error}): no table is written; if the model gives "
            "no probabilities, look at its training with `dvc repro check`"
        ) from None
