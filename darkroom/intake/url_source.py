"""Brings an archive, or several, from addresses on the web."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from darkroom.base.errors import UserError
from darkroom.intake import stored_zip
from darkroom.intake.archive import is_archive
from darkroom.intake.brought import ARCHIVES, CONTAINERS, holds_pictures
from darkroom.intake.download import check_sent, download, waiting_for
from darkroom.intake.several import check_names, pack_several


def file_name(url: str) -> str:
    """The last part of an address, as the name of a file."""
    return Path(unquote(urlsplit(url).path)).name


def from_url(url: str, folder: Path) -> Path:
    """Download an archive; a file of pictures is packed into a zip."""
    name = file_name(url)
    if not is_archive(name) and not holds_pictures(name):
        raise UserError(f"{url} names no archive: its last part must end in {ARCHIVES}, or in {CONTAINERS}")
    with waiting_for(url) as waiting:
        download(url, waiting / name)
        check_sent(waiting / name, url)
        if is_archive(name):
            return Path(shutil.move(waiting / name, folder / name))
        stored_zip.pack([(name, waiting / name)], folder / f"{name}.zip", name)
        return folder / f"{name}.zip"


def from_urls(urls: Sequence[str], folder: Path) -> Path:
    """Download several archives, or archives and tables, and pack them into one zip that holds them."""
    check_names([file_name(url) for url in urls])
    with waiting_for("\n".join(urls)) as waiting:
        whole = waiting / "whole"
        whole.mkdir(exist_ok=True)
        for url in urls:
            name = file_name(url)
            if not (whole / name).exists():  # else an interrupted run brought it
                download(url, waiting / name)
                check_sent(waiting / name, url)
                (waiting / name).rename(whole / name)
        return pack_several([(path.name, path) for path in whole.iterdir()], folder)
