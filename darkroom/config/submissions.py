"""The key `submission` of an entry: the form of data/submission.csv, the predictions that a competition wants."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from darkroom.config.yaml_files import Section


class Submission(Section):
    """The columns of the file that a competition wants: predictions for the unlabelled images."""

    id: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(min_length=1)]
    id_from: Literal["number", "name", "path"] = "name"

    @model_validator(mode="after")
    def _two_columns(self) -> "Submission":
        if self.id == self.label:
            raise ValueError(f"id and label are both {self.id!r}, but must name two columns")
        return self


class Sample(Section):
    """A sample in the archive whose form data/submission.csv takes; `probability` names a class where one is wanted."""

    sample: Annotated[str, Field(min_length=1)]
    probability: Annotated[str, Field(min_length=1)] | int | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, given: Any) -> Any:
        columns = [key for key in given if key in Submission.model_fields] if isinstance(given, dict) else []
        if columns:
            raise ValueError(f"the form is read off the sample, so leave out {' and '.join(columns)}, or leave it out")
        return given


def _kind_of_submission(value: Any) -> str | None:
    """Which of the three kinds a value of `submission` is meant to be; None if it is none of them."""
    if isinstance(value, str):
        return "a path"
    if isinstance(value, Submission):
        return "columns"
    if isinstance(value, dict):
        has_columns = any(key in Submission.model_fields for key in value)
        return "columns" if has_columns and "sample" not in value else "a sample"
    return "a sample" if isinstance(value, Sample) else None


AnySubmission = Annotated[
    Annotated[Annotated[str, Field(min_length=1)], Tag("a path")]
    | Annotated[Sample, Tag("a sample")]
    | Annotated[Submission, Tag("columns")],
    Discriminator(
        _kind_of_submission,
        custom_error_type="no_submission",
        custom_error_message="Input should be a valid string or dictionary",
    ),
]
