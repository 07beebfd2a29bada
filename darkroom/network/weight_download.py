"""Brings a file of pretrained weights here, and keeps it in `.pretrained` by its hash, so that it is fetched once.

`.pretrained` lies at the root of the repository; it may be deleted at any time.
"""

import shutil
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import read_json, replacing_folder, sha256, write_json
from darkroom.network.weight_sources import Place


def fetched(place: Place) -> Path:
    """The file of weights at a place, kept under its sha256; it is downloaded if no earlier call has done so.

    Raises UserError, which says which file to bring and where, if it cannot be had.
    """
    folder = paths.root() / ".pretrained"
    known_file = folder / "known.json"
    known: dict[str, str] = read_json(known_file) if known_file.is_file() else {}
    file = folder / known.get(str(place), "-")
    if file.is_file() and sha256(file) == file.stem:
        return file
    with replacing_folder(folder / "arriving") as arriving:
        try:
            got = _from_hub(place, arriving) if place.repository else _from_address(place, arriving)
        except Exception as error:  # each library raises its own types for a missing network
            if not _is_trouble_of_the_network(error):
                raise
            raise UserError(
                f"model.weights is DEFAULT, but {place} could not be fetched ({_reason(error)}): try again, or fetch "
                "it on another machine, bring the file here and give its path as model.weights (`-S "
                f"model.weights=/path/to/{Path(str(place)).name}`), or start from nothing (`-S model.name=cnn -S "
                "model.weights=null`)"
            ) from None
        file = folder / f"{sha256(got)}{got.suffix}"
        got.replace(file)
    shutil.rmtree(folder / "arriving", ignore_errors=True)
    write_json(known_file, known | {str(place): file.name})
    return file


def _from_address(place: Place, folder: Path) -> Path:
    import torch

    file = folder / f"weights{place.suffix}"
    # torchvision's files end in the first digits of their sha256, timm's in those too.
    start = Path(place.url).stem.rpartition("-")[2]
    is_hash = len(start) == 8 and all(letter in "0123456789abcdef" for letter in start)
    torch.hub.download_url_to_file(
        place.url, str(file), hash_prefix=start if is_hash else None, progress=sys.stderr.isatty()
    )
    return file


def _from_hub(place: Place, folder: Path) -> Path:
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in place.files:
        if isinstance(cached := try_to_load_from_cache(place.repository, name), str):
            return Path(shutil.copyfile(cached, folder / f"weights{Path(name).suffix}"))
    if not getproxies():  # without a network the library would try for half a minute, and say so each time
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    for name in place.files:
        try:
            return Path(hf_hub_download(place.repository, name, local_dir=folder))
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            if name == place.files[-1]:
                raise
    raise AssertionError("a place of the hub names a file")


def _is_trouble_of_the_network(error: Exception) -> bool:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    kinds = (OSError, HTTPException, RuntimeError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled)
    return isinstance(error, kinds) or type(error).__module__.partition(".")[0] in ("httpx", "httpcore", "requests")


def _reason(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")[:200]
