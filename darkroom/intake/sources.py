"""Brings an archive from one of the sources: bundled data, Kaggle, a URL, or a path. Each gives one whole file."""

import hashlib
import io
import os
import shutil
import stat
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from filelock import FileLock

from darkroom.base.console import bar
from darkroom.base.errors import UserError, printable
from darkroom.base.files import remove, replacing
from darkroom.base.paths import root
from darkroom.base.words import counted, listed
from darkroom.intake import download
from darkroom.intake.archive import ALLOWED, foreign, is_archive, problem
from darkroom.intake.download import BY_HAND
from darkroom.intake.zip_reader import UNIX

PIECE = 2**20
LISTED = 5  # names in a line
TRIES = 5
PATIENCE = 300  # seconds that a busy server may ask for before the next attempt
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundled_digits(folder: Path) -> Path:
    """Write scikit-learn's 1,797 handwritten digits as a zip of PNG files, one folder a digit.

    The bytes are the same each time: no clock, and neither PNG nor zip is compressed.
    Source: Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49.
    """
    import cv2
    from sklearn.datasets import load_digits

    digits = load_digits()
    archive = folder / "digits.zip"
    with replacing(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            grey = (image * 255 / 16).round().astype("uint8")  # the scans have 17 levels
            _, png = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 0])
            packed.writestr(zipfile.ZipInfo(f"digits/{label}/{number:04}.png", ZIP_EPOCH), png.tobytes())
    return archive


def from_path(path: Path, folder: Path) -> Path:
    """Copy an archive, or pack a folder into an uncompressed zip whose bytes depend on its files alone."""
    path = path.expanduser()
    chosen, own = path.resolve(), folder.resolve()
    if own in (chosen, *chosen.parents) or chosen in own.parents:
        where = "lies in" if own in (chosen, *chosen.parents) else "holds"
        raise UserError(f"{path} {where} {folder}, which DVC empties before this stage: keep archives elsewhere")
    if path.is_dir():
        return _pack_folder(path, folder / f"{path.resolve().name}.zip")
    if not path.is_file():
        raise UserError(f"there is no file or folder {path}: give an absolute path to a zip, a tar or a folder")
    if what := foreign(path.name):
        raise UserError(f"{path} is {what}")
    if not is_archive(path.name):
        raise UserError(f"{path} is no archive: allowed are a folder, {ALLOWED}")
    target = folder / path.name
    with (
        replacing(target) as partial,
        path.open("rb") as source,
        partial.open("wb") as copy,
        bar(what=path.name, unit="B", total=path.stat().st_size, unit_scale=True) as shown,
    ):
        while piece := source.read(PIECE):
            copy.write(piece)
            shown.update(len(piece))
    return target


def _pack_folder(source: Path, target: Path) -> Path:
    files = sorted(_files(source))
    if not files:
        raise UserError(f"the folder {source} holds no files")
    if empty := _without_files(source, files):
        more = f" and {len(empty) - LISTED:,} more" if len(empty) > LISTED else ""
        print(f"no file in {printable(', '.join(empty[:LISTED]))}{more}: a folder without files becomes no class")
    dangling = []
    try:
        with replacing(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
            for path in bar(what=source.name, unit="file", items=files):
                member = zipfile.ZipInfo(path.relative_to(source).as_posix(), ZIP_EPOCH)
                if path.is_symlink() and not path.exists():
                    # Without its target, which is a path of this machine.
                    member.create_system, member.external_attr = UNIX, (stat.S_IFLNK | 0o777) << 16
                    packed.writestr(member, b"")
                    dangling.append(member.filename)
                    continue
                member.file_size = path.stat().st_size
                with path.open("rb") as content, packed.open(member, "w") as copy:
                    while piece := content.read(PIECE):
                        copy.write(piece)
    except UnicodeEncodeError as error:
        raise UserError(f"in the folder {source}, {error.object!r} has a name that is not UTF-8: rename it") from None
    if dangling:
        what = counted(len(dangling), "link leads to nothing", "links lead to nothing")
        print(f"{what} ({printable(listed(dangling))}): extract rejects those among the data")
    return target


def _files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files below a folder; links are followed, and those whose target is not there count as files."""
    if folder.resolve() in above:
        raise UserError(f"{folder} is a link to a folder in which it lies itself: remove it")
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path, (*above, folder.resolve()))
        elif path.is_file() or path.is_symlink():
            yield path


def _without_files(source: Path, files: Sequence[Path]) -> list[str]:
    """Folders of `source` that hold none of its files, at any depth: the outermost ones, without hidden ones."""
    filled = {path.parent for path in files}
    filled |= {above for folder in filled for above in folder.parents}
    empty = []
    for place, folders, _ in os.walk(source, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        empty += [Path(place, name) for name in folders if Path(place, name) not in filled]
        folders[:] = [name for name in folders if Path(place, name) in filled]
    return sorted(path.relative_to(source).as_posix() for path in empty)


@contextmanager
def _downloads(source: str) -> Iterator[Path]:
    """A folder for partial downloads from this source, for one process at a time; removed when the block ends well.

    It outlives an interrupted run. DVC empties a stage's outputs before it runs, so the folder lies elsewhere.
    """
    folder = root() / ".downloads" / hashlib.sha256(source.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        folder.mkdir(exist_ok=True)  # not before: whoever held the lock may just have removed it
        yield folder
        shutil.rmtree(folder)


def from_url(url: str, folder: Path) -> Path:
    """Download a file, resuming what an interrupted run left, with growing pauses between attempts."""
    name = Path(unquote(urlsplit(url).path)).name
    if what := foreign(name):
        raise UserError(f"{url} is {what}")
    if not is_archive(name):
        raise UserError(f"{url} names no archive: its last part must end in {ALLOWED}")
    target = folder / name
    with _downloads(url) as waiting:
        pause = 0.0
        for attempt in range(TRIES):
            if attempt:
                time.sleep(max(2**attempt, pause))
            try:
                download.attempt(url, waiting / name)
                break
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ) as error:
                trouble, pause = error, download.retry_after(error.response)
            except (requests.RequestException, ValueError) as error:
                raise UserError(
                    f"{url} cannot be fetched ({download.reason(error)}): check the address, {BY_HAND}"
                ) from None
            if pause > PATIENCE:
                raise UserError(
                    f"{urlsplit(url).netloc} asks to be left alone for {pause:,.0f} seconds: run again then, {BY_HAND}"
                )
        else:
            raise UserError(
                f"{urlsplit(url).netloc} cannot be reached, or the connection breaks off ({download.reason(trouble)}): "
                f"run again to go on where it stopped, {BY_HAND}"
            )
        _check(waiting / name, url)
        return Path(shutil.move(waiting / name, target))


def _check(file: Path, sender: str) -> None:
    """Raise UserError, and remove the file, if a download is not an archive but, for instance, a login page."""
    if reason := problem(file):
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(512)
        file.unlink()
        what = "no archive but a web page" if head.lstrip().startswith(b"<") else f"no whole archive ({reason})"
        raise UserError(f"{sender} sent {size:,} bytes, {what}: open the address in a browser, {BY_HAND}")


def from_kaggle(slug: str, folder: Path) -> Path:
    """Download a data set with Kaggle's own client, which resumes and retries by itself.

    `slug` is owner/name or owner/name/version. Public sets also work without a token, where Kaggle allows it.
    """
    page = f"https://www.kaggle.com/datasets/{'/'.join(slug.split('/')[:2])}"
    with _quiet():
        try:
            # On import the client looks for credentials.
            from kaggle.api.kaggle_api_extended import KaggleApi
            from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest
        except ImportError as error:
            raise UserError(f"Kaggle's client does not start ({error}): run `make setup`, {BY_HAND}") from None
        client = KaggleApi()
        # It exits the process if there is no token, and may raise anything for a damaged token file.
        with suppress(SystemExit, Exception):
            client.authenticate()
    owner, name, *version = slug.split("/")
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = owner, name
    if version:
        request.dataset_version_number = int(version[0])
    try:
        with _downloads(f"kaggle:{slug}") as waiting, client.build_kaggle_client() as kaggle:
            response = kaggle.datasets.dataset_api_client.download_dataset(request)
            print(f"downloading {page}")
            try:
                # Silenced, for its messages about a broken connection hold the signed address of the storage.
                with redirect_stdout(io.StringIO()):
                    client.download_file(
                        response, str(waiting / f"{name}.zip"), kaggle.http_client(), quiet=False, resume=True
                    )
            except ValueError:
                remove(waiting)  # it may have written an error page into the file
                raise
            _check(waiting / f"{name}.zip", page)
            return Path(shutil.move(waiting / f"{name}.zip", folder / f"{name}.zip"))
    except requests.HTTPError as error:
        response = error.response
        with_token = any("Authorization" in sent.request.headers for sent in (*response.history, response))
        raise UserError(_kaggle_refusal(response.status_code, slug, page, with_token)) from None
    except requests.RequestException as error:
        raise UserError(
            f"Kaggle cannot be reached ({download.reason(error)}): check the network and run again to go on, {BY_HAND}"
        ) from None
    except (SystemExit, ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(
            f"Kaggle's client gave up on {slug} ({download.reason(error)}): open {page}, {BY_HAND[3:]}"
        ) from None


def _kaggle_refusal(code: int, slug: str, page: str, with_token: bool) -> str:
    remedy = "make a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN to it"
    if code == 401 or (code == 403 and not with_token):
        why = "your Kaggle token is not accepted" if with_token else "Kaggle wants a token for this data set"
        return f"{why} (it answered {code}): {remedy}, {BY_HAND}"
    if code == 403:
        return f"Kaggle refuses {slug} (it answered 403): open {page}, accept its rules, and run again, {BY_HAND}"
    if code == 404:
        return f"Kaggle has no data set {slug} (it answered 404): check `kaggle:` in datasets.yaml against {page}"
    return f"Kaggle answered {download.status(code)} for {slug}: try again later, {BY_HAND}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what Kaggle's client prints about credentials: our own sentence follows."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
