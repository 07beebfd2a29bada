"""Brings a data set or the files of a competition with Kaggle's own client, which resumes and retries by itself."""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

import requests

from darkroom.base.errors import UserError
from darkroom.base.files import remove
from darkroom.intake import stored_zip
from darkroom.intake.archive import is_archive
from darkroom.intake.brought import holds_pictures
from darkroom.intake.disk import check_room
from darkroom.intake.download import BY_HAND, check_sent, reason, status, waiting_for
from darkroom.intake.url_source import file_name

REMEDY = "make a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN to it"


class _Wanted(NamedTuple):
    """What is asked of Kaggle, and the words for it."""

    key: str  # of the entry
    name: str  # its value
    kind: str
    page: str
    forbidden: str  # what to do about a 403
    ask: Callable[[Any], Any]  # by the client, a response
    file: Callable[[Any], str]  # the name of the file that a response brings


def data_set(name: str, folder: Path) -> Path:
    """Download owner/name or owner/name/version. Public sets also work without a token, where Kaggle allows it."""
    owner, slug, *version = name.split("/")
    page = f"https://www.kaggle.com/datasets/{owner}/{slug}"

    def ask(kaggle: Any) -> Any:
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = owner, slug
        if version:
            request.dataset_version_number = int(version[0])
        return kaggle.datasets.dataset_api_client.download_dataset(request)

    forbidden = f"open {page}, accept its rules, and run again"
    return _bring(_Wanted("kaggle", name, "data set", page, forbidden, ask, lambda _: f"{slug}.zip"), folder)


def competition(slug: str, folder: Path) -> Path:
    """Download all files of a competition: a zip, or the file itself where there is but one."""
    page = f"https://www.kaggle.com/competitions/{slug}"

    def ask(kaggle: Any) -> Any:
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = slug
        return kaggle.competitions.competition_api_client.download_data_files(request)

    def file(response: Any) -> str:
        # Kaggle packs the files of a competition as archive.zip, and sends a single one as it is.
        name = file_name(response.url)
        return name if name != "archive.zip" and (is_archive(name) or holds_pictures(name)) else f"{slug}.zip"

    forbidden = f"join it and accept its rules at {page}/rules, and run again"
    return _bring(_Wanted("competition", slug, "competition", page, forbidden, ask, file), folder)


def _bring(wanted: _Wanted, folder: Path) -> Path:
    client = _client()
    try:
        with waiting_for(f"{wanted.key}:{wanted.name}") as waiting, client.build_kaggle_client() as kaggle:
            response = wanted.ask(kaggle)
            file = waiting / wanted.file(response)
            length = response.headers.get("Content-Length", "")
            have = file.stat().st_size if file.exists() else 0
            check_room(waiting, int(length) - have if length.isdecimal() else 0, f"the download of {wanted.page}")
            print(f"downloading {wanted.page}")
            try:
                # Silenced, for its messages about a broken connection hold the signed address of the storage.
                with redirect_stdout(io.StringIO()):
                    client.download_file(response, str(file), kaggle.http_client(), quiet=False, resume=True)
            except ValueError:
                remove(waiting)  # it may have written an error page into the file
                raise
            check_sent(file, wanted.page)
            if is_archive(file.name):
                return Path(shutil.move(file, folder / file.name))
            stored_zip.pack([(file.name, file)], folder / f"{file.name}.zip", file.name)
            return folder / f"{file.name}.zip"
    except requests.HTTPError as error:
        raise UserError(_refusal(error.response, wanted)) from None
    except requests.RequestException as error:
        raise UserError(
            f"Kaggle cannot be reached ({reason(error)}): check the network and run again to go on, {BY_HAND}"
        ) from None
    except (SystemExit, ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(
            f"Kaggle's client gave up on {wanted.name} ({reason(error)}): open {wanted.page}, {BY_HAND[3:]}"
        ) from None


def _client() -> Any:
    with _quiet():
        try:
            # On import the client looks for credentials.
            from kaggle.api.kaggle_api_extended import KaggleApi
        except ImportError as error:
            raise UserError(f"Kaggle's client does not start ({error}): run `make setup`, {BY_HAND}") from None
        client = KaggleApi()
        # It exits the process if there is no token, and may raise anything for a damaged token file.
        with suppress(SystemExit, Exception):
            client.authenticate()
    return client


def _refusal(response: requests.Response, wanted: _Wanted) -> str:
    code = response.status_code
    with_token = any("Authorization" in sent.request.headers for sent in (*response.history, response))
    if code == 401 or (code == 403 and not with_token):
        why = "your Kaggle token is not accepted" if with_token else f"Kaggle wants a token for this {wanted.kind}"
        return f"{why} (it answered {code}): {REMEDY}, {BY_HAND}"
    if code == 403:
        return f"Kaggle refuses {wanted.name} (it answered 403): {wanted.forbidden}, {BY_HAND}"
    if code == 404:
        return (
            f"Kaggle has no {wanted.kind} {wanted.name} (it answered 404): "
            f"check `{wanted.key}:` in datasets.yaml against {wanted.page}"
        )
    return f"Kaggle answered {status(code)} for {wanted.name}: try again later, {BY_HAND}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what Kaggle's client prints about credentials: our own sentence follows."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
