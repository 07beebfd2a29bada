"""Tables in JSON: a list of records, records by line, names with their labels, and COCO's images and categories."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.intake.table_columns import WHOLE, check_size, from_rows, named
from darkroom.intake.text_encoding import utf8

Row = Mapping[str, str | None]
COCO = {"images", "annotations", "categories"}
FORMS = "a list of records, an object of names and labels, or COCO's images, annotations and categories"


def read(data: bytes, path: str, lines: bool) -> tuple[dict[str, pa.ChunkedArray], str | None]:
    """The columns of a JSON file, with `lines` of one record a line, and a note. Raises UserError if it has none."""
    text, note = utf8(data, path)
    if lines:
        rows = _of_lines(text, path)
    else:
        content = _parsed(text, path)
        if isinstance(content, dict) and content.keys() >= COCO:
            rows = _of_coco(content, path)
        elif isinstance(content, dict):
            rows = _of_names(content, path)
        else:
            rows = _of_list(content, path)
    columns = from_rows(rows, path)
    check_size(len(next(iter(columns.values()), [])), len(columns), path)
    return columns, note


def _parsed(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{where} is nested too deeply: give {FORMS}") from None
    except json.JSONDecodeError as error:
        place = f"{error.msg}, at character {error.pos + 1:,}"
        raise UserError(f"{where} is no JSON ({place}): mend it, or save it as CSV (UTF-8)") from None
    except ValueError:
        raise UserError(f"{where} holds a number of thousands of digits: mend it, or save it as CSV (UTF-8)") from None


def _of_lines(text: bytes, path: str) -> Iterator[Row]:
    """One record a line."""
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(text), 1):
        if line.strip():
            yield _record(_parsed(line, f"{path}, line {number:,},"), f"{path}, line {number:,},")


def _of_list(content: Any, path: str) -> Iterator[Row]:
    """A list of records, or of names alone."""
    if not isinstance(content, list):
        raise UserError(f"{path} holds a single value: give {FORMS}")
    names = bool(content) and not any(isinstance(one, dict | list) for one in content)
    for number, one in enumerate(content, 1):
        yield {"image": as_text(one)} if names else _record(one, f"{path}, record {number:,},")


def _of_names(content: dict[str, Any], path: str) -> Iterator[Row]:
    """An object that gives each name a label, or a record."""
    records = [isinstance(one, dict) for one in content.values()]
    if any(isinstance(one, list) for one in content.values()) or (any(records) and not all(records)):
        raise UserError(f"{path} is an object with {listed(map(named, content))}: give {FORMS}")
    for name, one in content.items():
        yield {"image": as_text(name)} | (_record(one, path) if any(records) else {"label": as_text(one)})


def _record(one: Any, where: str) -> dict[str, str | None]:
    if not isinstance(one, dict):
        raise UserError(f'{where} is no record of columns and values (`{{"image": …, "label": …}}`): mend it')
    return {str(as_text(key) or ""): as_text(value) for key, value in one.items()}


def _of_coco(content: dict[str, Any], path: str) -> Iterator[Row]:
    """A row for each image and different category of its annotations; an image of no annotation has one row."""
    try:
        categories = {
            as_text(one["id"]): {
                "category": as_text(one.get("name")),
                **({"supercategory": as_text(one["supercategory"])} if one.get("supercategory") else {}),
            }
            for one in content["categories"]
        }
        found: dict[str | None, dict[str | None, None]] = {}
        for one in content["annotations"]:
            found.setdefault(as_text(one["image_id"]), {})[as_text(one["category_id"])] = None
        rows = []
        for image in content["images"]:
            for category in found.get(as_text(image["id"]), {None: None}):
                row = {"file_name": as_text(image["file_name"]), "category": None, "category_id": category}
                rows.append(row | (categories[category] if category is not None else {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} looks like COCO and lacks a part ({type(error).__name__}: {error}): each image needs id "
            "and file_name, each annotation image_id and category_id, each category id and name"
        ) from None
    return iter(rows)


def as_text(value: Any) -> str | None:
    """A value as people write it: 1.0 as `1`, true as `true`, a list as JSON, nothing as None."""
    if value is None or value != value:  # NaN differs from itself
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and abs(value) < WHOLE and value == int(value):
        return str(int(value))
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return text.encode(errors="replace").decode()  # half a character, which JSON may write as \\ud800, is no text
