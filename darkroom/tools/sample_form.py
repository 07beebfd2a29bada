"""The sample submission of an archive: whether its form can be followed, and what it leaves open."""

from pathlib import Path
from typing import Any

from darkroom.base.errors import UserError
from darkroom.config.catalogue import checked
from darkroom.intake.sample_answers import WhichClassError
from darkroom.intake.sample_submission import understand
from darkroom.tools.asking import Asking
from darkroom.tools.draft_check import Tried
from darkroom.tools.label_tables import SAMPLE
from darkroom.tools.survey_archive import Survey, contents

MOST = 9  # classes to choose from


def find(seen: Survey) -> str | None:
    """The path of the sample, by its name."""
    paths = (path for path in seen.others.paths() if path.endswith(".csv"))
    return next((path for path in paths if SAMPLE.search(Path(path).stem)), None)


def submission(entry: dict[str, Any], found: Tried, seen: Survey, asking: Asking) -> tuple[Any, str]:
    """The key `submission` for an entry that names a sample, and what the sample asks for; None, and why not.

    Asks of which class it wants the probability, where it wants one and does not say so.
    """
    path, fewest = entry["submission"], entry.get("min_images", 1)
    classes = sorted(label for label, count in found.classes.items() if count >= fewest)
    content = {**entry, "channels": 3, "image_size": 32, "path": str(seen.source)}
    data = dict(contents(seen.source, [path], seen.limits)).get(path)
    if data is None:
        return None, "it is damaged"

    def said(form: Any) -> str:
        sample = understand(data, checked("NAME", content | {"submission": form}), classes, found.unlabelled)
        return sample.in_words() + sample.answers.hint

    try:
        return path, said(path)
    except WhichClassError as error:
        if len(classes) > MOST:
            return None, str(error)
    except UserError as error:
        return None, str(error)
    text = f"{path} wants one number of each picture: the probability of which class?"
    chosen = classes[asking.pick("submission", text, [(one, f"that of {one}") for one in classes])]
    form = {"sample": path, "probability": chosen}
    return form, said(form)
