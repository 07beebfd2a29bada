"""Kaggle's own client, and a server on this machine that answers in Kaggle's place."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from contextlib import ExitStack

import pytest

from darkroom.intake import kaggle_source
from stages import entry
from tests import make
from tests.conftest import ROOT
from tests.intake.fetched import ARCHIVE, names, no_download_waits, no_waiting_bytes, refusal
from tests.web import COMPETITION, STORAGE, Answer, file, json_answer, kaggle, serve

LARGE = make.zip_of({"train/a/1.bmp": make.picture(1, 1000, 1000, 3, "BMP")}, zipfile.ZIP_STORED)

TOKEN = "secret-0123456789abcdef"
LEGACY = f"Basic {base64.b64encode(f'me:{TOKEN}'.encode()).decode()}"
SLUG = "owner/set"


def test_kaggles_client_is_installed_with_all_it_needs():
    """Its own list of requirements lacks one: see requirements.in."""
    environment = os.environ | {"HOME": os.devnull, "KAGGLE_CONFIG_DIR": "/tmp"}
    for key in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        environment.pop(key, None)
    found = subprocess.run(
        [sys.executable, "-c", "import kaggle.api.kaggle_api_extended"], env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr


@pytest.fixture
def home(project, monkeypatch):
    """A user without any Kaggle token."""
    for key in list(os.environ):
        if key.startswith("KAGGLE_"):
            monkeypatch.delenv(key)
    path = project.folder / "home"
    (path / ".kaggle").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(path))
    extended = pytest.importorskip("kaggle.api.kaggle_api_extended", exc_type=ImportError)
    monkeypatch.setattr(extended.KaggleApi, "config_dir", str(path / ".kaggle"))
    monkeypatch.setattr(extended.KaggleApi, "config", str(path / ".kaggle" / "kaggle.json"))
    return path


@pytest.fixture
def signed_in(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)


@pytest.fixture
def start(home, monkeypatch):
    """Starts a server in Kaggle's place."""
    from kagglesdk import kaggle_env

    with ExitStack() as stack:

        def start(*arguments, **options):
            server = stack.enter_context(serve(kaggle(*arguments, **options)))
            monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
            return server

        yield start


def asked(server, path):
    return [request for request in server.requests if request.path == path]


def trouble(code):
    return json_answer(code, {"code": code, "message": "Kaggle says no"})


def test_a_public_set_needs_no_token(project, folder, start):
    server = start(file(ARCHIVE))
    copy = kaggle_source.data_set(SLUG, folder)
    assert copy == folder / "set.zip"
    assert copy.read_bytes() == ARCHIVE
    request, fetched = server.requests
    assert "Authorization" not in request.headers
    assert fetched.path == STORAGE
    assert json.loads(request.body) == {"ownerSlug": "owner", "datasetSlug": "set"}
    assert names(folder) == ["set.zip"]
    assert no_download_waits(project)


def test_a_version_is_asked_for(folder, start):
    server = start(file(ARCHIVE))
    assert kaggle_source.data_set(f"{SLUG}/7", folder).name == "set.zip"
    assert json.loads(server.requests[0].body)["datasetVersionNumber"] == 7


@pytest.mark.parametrize(
    ("files", "environment", "header"),
    [
        ({}, {"KAGGLE_API_TOKEN": TOKEN}, f"Bearer {TOKEN}"),
        ({"access_token": f"{TOKEN}\n"}, {}, f"Bearer {TOKEN}"),
        ({"kaggle.json": json.dumps({"username": "me", "key": TOKEN})}, {}, LEGACY),
        ({}, {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": TOKEN}, LEGACY),
    ],
    ids=["variable", "file", "kaggle.json", "two variables"],
)
def test_a_private_set_comes_to_whoever_may_have_it(
    folder, start, home, monkeypatch, capfd, files, environment, header
):
    for name, content in files.items():
        (home / ".kaggle" / name).write_text(content)
    for name, content in environment.items():
        monkeypatch.setenv(name, content)
    server = start(
        file(ARCHIVE), lambda request: None if request.headers.get("Authorization") == header else trouble(403)
    )
    assert kaggle_source.data_set(SLUG, folder).read_bytes() == ARCHIVE
    assert TOKEN not in str(asked(server, STORAGE)[0].headers)
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_kaggle_download_goes_on_where_it_broke_off(folder, start, signed_in, pauses, capfd):
    server = start(file(LARGE, cuts=[1_100_000]))
    assert kaggle_source.data_set(SLUG, folder).read_bytes() == LARGE
    assert [request.headers.get("Range") for request in asked(server, STORAGE)] == [None, "bytes=1048576-"]
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_kaggle_download_goes_on_in_the_next_run(folder, start, pauses):
    server = start(file(LARGE, cuts=[1_100_000] + [0] * 6))
    assert "Kaggle cannot be reached" in refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert names(folder) == []
    assert kaggle_source.data_set(SLUG, folder).read_bytes() == LARGE
    assert server.requests[-1].headers["Range"] == "bytes=1048576-"


def test_an_error_page_in_the_middle_of_a_kaggle_download_never_becomes_part_of_it(folder, start, pauses):
    """Kaggle's client writes it into the file, and would put the rest behind it in the next run."""
    good, left = file(LARGE, cuts=[1_100_000]), [200, 503, 503]
    server = start(lambda request: Answer(503, b"<html>" * 200) if left and left.pop(0) == 503 else good(request))
    assert "Kaggle's client gave up" in refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert names(folder) == []
    assert kaggle_source.data_set(SLUG, folder).read_bytes() == LARGE
    assert len(asked(server, STORAGE)) == 4


def test_what_kaggle_sends_must_be_an_archive(project, folder, start):
    start(file(b"<html>Sign in</html>"))
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert "https://www.kaggle.com/datasets/owner/set sent 20 bytes" in sentence
    assert "no archive but a web page" in sentence
    assert names(folder) == []
    assert no_waiting_bytes(project)


def test_the_signed_address_of_kaggles_storage_is_never_shown(folder, start, pauses, capfd):
    start(file(LARGE, cuts=[1_100_000] + [0] * 6))
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert "signature=" not in sentence + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("code", "anonymous", "known"),
    [
        (401, "Kaggle wants a token for this data set (it answered 401)", "your Kaggle token is not accepted"),
        (403, "Kaggle wants a token for this data set (it answered 403)", "accept its rules, and run again"),
        (404, "Kaggle has no data set owner/set (it answered 404)", "Kaggle has no data set owner/set"),
        (429, "Kaggle answered 429 too many", "Kaggle answered 429 too many"),
        (500, "Kaggle answered 500 internal server error", "Kaggle answered 500"),
    ],
)
@pytest.mark.parametrize("token", [False, True])
def test_what_kaggle_refuses_is_told_with_a_remedy(folder, start, monkeypatch, capfd, code, anonymous, known, token):
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    start(None, lambda _: trouble(code))
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert (known if token else anonymous) in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())
    assert names(folder) == []


def test_a_token_that_has_expired_is_told(folder, start, signed_in, capfd):
    start(None, lambda _: trouble(401), active=False)
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert "your Kaggle token is not accepted (it answered 401): make a token" in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())


@pytest.mark.parametrize("token", [False, True])
def test_without_a_network_kaggle_cannot_be_reached(folder, home, monkeypatch, capfd, token):
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert sentence.startswith("Kaggle cannot be reached (")
    assert "fetch.archive.ENTRY=" in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("kaggle.json", "no json"),
        ("kaggle.json", "[1]"),
        ("kaggle.json", '{"username": 5}'),
        ("credentials.json", "[]"),
        ("credentials.json", '{"refresh_token": "x", "access_token_expiration": "soon"}'),
        ("credentials.json", '{"refresh_token": "x"}'),
        ("access_token", "\0\xff"),
        ("access_token", ""),
    ],
)
def test_a_broken_token_file_ends_in_one_sentence(folder, start, home, name, content):
    (home / ".kaggle" / name).write_text(content, encoding="latin-1")
    start(None, lambda _: trouble(401))
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert sentence.startswith(("Kaggle wants a token", "your Kaggle token is not accepted", "Kaggle's client gave up"))
    assert "fetch.archive.ENTRY=" in sentence


def test_a_client_that_does_not_start_ends_in_one_sentence(folder, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    monkeypatch.delitem(sys.modules, "kaggle.api.kaggle_api_extended", raising=False)
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert sentence.startswith("Kaggle's client does not start (")
    assert "fetch.archive.ENTRY=" in sentence


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_stage_without_network_ends_in_one_line_of_its_own(project, home, closed_port, token):
    """In a process of its own: no traceback, nothing of what the client would say, and no token."""
    project.set(dataset="mnist")
    entry.main()
    proxy = f"http://127.0.0.1:{closed_port}"
    environment = os.environ | {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "", "HOME": str(home)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    if token:
        environment["KAGGLE_API_TOKEN"] = token
    ended = subprocess.run(
        [sys.executable, "-m", "stages.fetch"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: Kaggle cannot be reached (")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    assert TOKEN not in ended.stderr


# Competitions


def test_the_files_of_a_competition_are_brought_under_its_name(project, folder, start, signed_in):
    server = start(file(ARCHIVE), place="/storage/bundle/archive.zip?signature=1")
    assert kaggle_source.competition("dog-breed", folder) == folder / "dog-breed.zip"
    assert (folder / "dog-breed.zip").read_bytes() == ARCHIVE
    request = asked(server, COMPETITION)[0]
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body) == {"competitionName": "dog-breed"}
    assert TOKEN not in str(server.requests[-1].headers)
    assert names(folder) == ["dog-breed.zip"]
    assert no_download_waits(project)


@pytest.mark.parametrize(
    ("place", "content", "brought"),
    [
        ("files/train.csv", b"label,pixel0\n1,2\n", "train.csv.zip"),
        ("files/images.tar.gz", make.tar_of({"a/1.png": make.picture(1)}, "gz"), "images.tar.gz"),
        ("files/..%2F..%2Fx.csv", b"label\n1\n", "x.csv.zip"),
        ("bundle", ARCHIVE, "dog-breed.zip"),
    ],
)
def test_the_single_file_of_a_competition_keeps_its_name(folder, start, signed_in, place, content, brought):
    start(file(content), place=f"/storage/{place}?signature=1")
    assert kaggle_source.competition("dog-breed", folder).name == brought
    assert names(folder) == [brought]


def test_a_single_file_that_is_no_archive_is_told(folder, start, signed_in):
    start(file(b"pickled"), place="/storage/files/train.pkl?signature=1")
    sentence = refusal(lambda: kaggle_source.competition("dog-breed", folder))
    assert "https://www.kaggle.com/competitions/dog-breed sent 7 bytes, no whole archive" in sentence
    assert "signature" not in sentence


def test_the_download_of_a_competition_goes_on_in_the_next_run(folder, start, signed_in, pauses):
    start(file(LARGE, cuts=[1_100_000] + [0] * 6))
    refusal(lambda: kaggle_source.competition("dog-breed", folder))
    server = start(file(LARGE))
    assert kaggle_source.competition("dog-breed", folder).read_bytes() == LARGE
    assert server.requests[-1].headers["Range"] == "bytes=1048576-"


@pytest.mark.parametrize(
    ("code", "anonymous", "known"),
    [
        (401, "Kaggle wants a token for this competition (it answered 401)", "your Kaggle token is not accepted"),
        (
            403,
            "Kaggle wants a token for this competition (it answered 403)",
            "accept its rules at https://www.kaggle.com/competitions/dog-breed/rules, and run again",
        ),
        (404, "Kaggle has no competition dog-breed", "check `competition:` in datasets.yaml against https://www."),
        (429, "Kaggle answered 429 too many", "Kaggle answered 429 too many"),
        (500, "Kaggle answered 500 internal server error", "Kaggle answered 500"),
    ],
)
@pytest.mark.parametrize("token", [False, True])
def test_what_kaggle_refuses_of_a_competition_is_told(folder, start, monkeypatch, capfd, code, anonymous, known, token):
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    start(None, lambda _: trouble(code))
    sentence = refusal(lambda: kaggle_source.competition("dog-breed", folder))
    assert (known if token else anonymous) in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())


def test_a_size_that_the_disk_has_no_room_for_is_told_at_once(folder, start):
    server = start(lambda _: Answer(200, ARCHIVE, {"Content-Length": 10**17}))
    sentence = refusal(lambda: kaggle_source.data_set(SLUG, folder))
    assert "the download of https://www.kaggle.com/datasets/owner/set takes 100000000.0 GB" in sentence
    assert len(server.requests) == 2
