"""Packs files into one uncompressed zip whose bytes depend on their names and contents alone."""

import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path

from darkroom.base.console import bar
from darkroom.base.files import replacing
from darkroom.intake.disk import check_room
from darkroom.intake.zip_reader import UNIX

PIECE = 2**20
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(members: Sequence[tuple[str, Path]], target: Path, what: str) -> list[str]:
    """Write the files to `target` under their names, in this order; return the names of links that lead to nothing.

    Raises UserError if the disk lacks the room, UnicodeEncodeError for a name that is not UTF-8.
    """
    needed = sum(path.stat().st_size for _, path in members if path.exists())
    check_room(target.parent, needed, f"the archive of {what}")
    dangling = []
    with replacing(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        for name, path in bar(what=what, unit="file", items=members):
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            if path.is_symlink() and not path.exists():
                # Without its target, which is a path of this machine.
                member.create_system, member.external_attr = UNIX, (stat.S_IFLNK | 0o777) << 16
                packed.writestr(member, b"")
                dangling.append(name)
                continue
            member.file_size = path.stat().st_size
            with path.open("rb") as content, packed.open(member, "w") as copy:
                while piece := content.read(PIECE):
                    copy.write(piece)
    return dangling
