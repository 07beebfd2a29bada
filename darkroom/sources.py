"""Where an archive comes from: bundled data, Kaggle, a URL, or a path. Each function leaves one whole file."""

import hashlib
import io
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from filelock import FileLock

from darkroom.archive import is_archive
from darkroom.console import UserError, bar
from darkroom.files import replacing
from darkroom.paths import root

PIECE = 2**20
TRIES = 5
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
BY_HAND = "or download it by hand and name it: dvc exp run -S fetch.archive=/path/to/archive.zip"


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
    if path.is_dir():
        return _pack_folder(path, folder / f"{path.resolve().name}.zip")
    if not path.is_file():
        raise UserError(f"there is no file or folder {path}: give an absolute path to a zip, a tar or a folder")
    if not is_archive(path.name):
        raise UserError(f"{path} is no archive: allowed are .zip, .tar, .tar.gz, .tar.bz2, .tar.xz, or a folder")
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
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if not files:
        raise UserError(f"the folder {source} holds no files")
    try:
        with replacing(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
            for path in bar(what=source.name, unit="file", items=files):
                member = zipfile.ZipInfo(path.relative_to(source).as_posix(), ZIP_EPOCH)
                member.file_size = path.stat().st_size
                with path.open("rb") as content, packed.open(member, "w") as copy:
                    while piece := content.read(PIECE):
                        copy.write(piece)
    except UnicodeEncodeError as error:
        raise UserError(f"in the folder {source}, {error.object!r} has a name that is not UTF-8: rename it") from None
    return target


@contextmanager
def _downloads(source: str) -> Iterator[Path]:
    """A folder that outlives an interrupted run, for one process at a time.

    DVC empties a stage's outputs before it runs, so what is to be resumed must lie elsewhere.
    """
    folder = root() / ".downloads" / hashlib.sha256(source.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        yield folder
        shutil.rmtree(folder)


def from_url(url: str, folder: Path) -> Path:
    """Download a file, resuming what an interrupted run left, with growing pauses between attempts."""
    name = Path(unquote(urlsplit(url).path)).name
    if not is_archive(name):
        raise UserError(f"{url} names no archive: its last part must end in .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz")
    target = folder / name
    with _downloads(url) as waiting:
        for attempt in range(TRIES):
            if attempt:
                time.sleep(2**attempt)
            try:
                _download(url, waiting / name)
                break
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ) as error:
                problem = error
            except (requests.RequestException, ValueError) as error:
                raise UserError(f"{url} cannot be fetched ({_reason(error)}): check the address, {BY_HAND}") from None
        else:
            raise UserError(
                f"{urlsplit(url).netloc} cannot be reached, or the connection breaks off ({_reason(problem)}): "
                f"run again to go on where it stopped, {BY_HAND}"
            )
        return Path(shutil.move(waiting / name, target))


def _download(url: str, partial: Path) -> None:
    """One attempt. A file that changed on the server since the last attempt is begun anew."""
    validator = partial.with_name(partial.name + ".validator")
    have = partial.stat().st_size if partial.exists() and validator.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text()}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the server refused to go on where the last attempt stopped")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise requests.ConnectionError(f"the server answered {answer.status_code}")
        if answer.status_code >= 400:
            raise UserError(f"{url} answered {_status(answer.status_code)}: check the address in a browser, {BY_HAND}")
        resumed = answer.status_code == 206
        have = have if resumed else 0
        # A weak tag may stand for other bytes; without a strong one nothing is resumed.
        tag = answer.headers.get("ETag", "")
        mark = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        if resumed and mark and mark != headers.get("If-Range"):
            partial.unlink(missing_ok=True)  # not every server that resumes looks at If-Range
            raise requests.ConnectionError("the file has changed on the server")
        if mark:
            validator.write_text(mark)
        else:
            validator.unlink(missing_ok=True)
        length = answer.headers.get("Content-Length")
        total = int(length) + have if length else None
        with (
            partial.open("ab" if resumed else "wb") as out,
            bar(what=partial.name, unit="B", total=total, initial=have, unit_scale=True) as shown,
        ):
            for piece in answer.iter_content(PIECE):
                out.write(piece)
                shown.update(len(piece))
    if total is not None and partial.stat().st_size != total:
        raise requests.ConnectionError(f"{partial.stat().st_size} bytes came where {total} were announced")


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
        # It ends the process where there is no token, and raises whatever a broken token file leads it to.
        with suppress(SystemExit, Exception):
            client.authenticate()
    owner, name, *version = slug.split("/")
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = owner, name
    if version:
        request.dataset_version_number = int(version[0])
    try:
        with _downloads(f"kaggle:{slug}") as waiting, client.build_kaggle_client() as kaggle:
            answer = kaggle.datasets.dataset_api_client.download_dataset(request)
            print(f"downloading {page}")
            client.download_file(answer, str(waiting / f"{name}.zip"), kaggle.http_client(), quiet=False, resume=True)
            return Path(shutil.move(waiting / f"{name}.zip", folder / f"{name}.zip"))
    except requests.HTTPError as error:
        answer = error.response
        with_token = any("Authorization" in sent.request.headers for sent in (*answer.history, answer))
        raise UserError(_kaggle_refusal(answer.status_code, slug, page, with_token)) from None
    except requests.RequestException as error:
        raise UserError(
            f"Kaggle cannot be reached ({_reason(error)}): check the network and run again to go on, {BY_HAND}"
        ) from None
    except (SystemExit, ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(f"Kaggle's client gave up on {slug} ({_reason(error)}): open {page}, {BY_HAND[3:]}") from None


def _kaggle_refusal(code: int, slug: str, page: str, with_token: bool) -> str:
    token = "make a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN to it"
    if code == 401 or (code == 403 and not with_token):
        why = "your Kaggle token is not accepted" if with_token else "Kaggle wants a token for this data set"
        return f"{why} (it answered {code}): {token}, {BY_HAND}"
    if code == 403:
        return f"Kaggle refuses {slug} (it answered 403): open {page}, accept its rules, and run again, {BY_HAND}"
    if code == 404:
        return f"Kaggle has no data set {slug} (it answered 404): check `kaggle:` in datasets.yaml against {page}"
    return f"Kaggle answered {_status(code)} for {slug}: try again later, {BY_HAND}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what Kaggle's client prints about credentials: our own sentence follows."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _status(code: int) -> str:
    return f"{code} {requests.status_codes._codes.get(code, ('error',))[0].replace('_', ' ')}"  # type: ignore[attr-defined]


def _reason(error: BaseException) -> str:
    """The last link of an exception's chain, in a few words and without addresses or headers."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__ if isinstance(error, requests.RequestException) else str(error)[:120]
