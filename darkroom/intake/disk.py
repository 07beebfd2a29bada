"""Whether the disk has room for what is about to be written, said before it is full."""

import shutil
from pathlib import Path

from darkroom.base.errors import UserError
from darkroom.base.words import size


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raise UserError, one sentence, if the disk of `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{what} takes {size(needed)}, and the disk of {folder.absolute()} has {size(free)} free: "
            "free some space and run again, or keep the repository on a larger disk"
        )
