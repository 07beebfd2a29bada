import base64
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from darkroom.intake import sources
from stages import entry
from tests import make
from tests.conftest import ROOT
from tests.intake.fetched import ARCHIVE, names, no_download_waits, no_waiting_bytes, refusal
from tests.web import STORAGE, Answer, file, json_answer, kaggle, serve

LARGE = make.zip_of({"train/a/1.bmp": make.picture(1, 1000, 1000, 3, "BMP")}, zipfile.ZIP_STORED)


# Bundled


def test_the_bundled_digits_are_the_same_bytes_each_time(tmp_path):
    copies = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        copies.append(sources.bundled_digits(tmp_path / name).read_bytes())
        assert names(tmp_path / name) == ["digits.zip"]
    assert copies[0] == copies[1]
    with zipfile.ZipFile(io.BytesIO(copies[0])) as packed:
        assert len(packed.namelist()) == 1797
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# From a path


@pytest.mark.parametrize("name", ["a.zip", "a b.tar.gz", "ü.tar.xz"])
def test_an_archive_is_copied_under_its_own_name(tmp_path, folder, name):
    (tmp_path / name).write_bytes(ARCHIVE)
    copy = sources.from_path(tmp_path / name, folder)
    assert copy == folder / name
    assert copy.read_bytes() == ARCHIVE
    assert names(folder) == [name]


def test_the_home_folder_may_be_abbreviated(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    assert sources.from_path(Path("~/a.zip"), folder).read_bytes() == ARCHIVE


def test_a_folder_becomes_a_zip_whose_bytes_depend_on_its_files_alone(tmp_path, folder):
    files = {"b/2.png": b"2", "a/10.png": b"10", "a/9.png": b"", "A.txt": b"x", "ü/ß.png": b"3"}
    zips = []
    for parent, order in (("one", sorted(files)), ("two", sorted(files, reverse=True))):
        for number, path in enumerate(order):
            place = tmp_path / parent / "set" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(files[path])
            place.chmod(0o600 + number)
            os.utime(place, (number, number))
        zips.append(sources.from_path(tmp_path / parent / "set", folder))
        assert zips[-1] == folder / "set.zip"
        zips[-1] = zips[-1].read_bytes()
    assert zips[0] == zips[1]
    with zipfile.ZipFile(io.BytesIO(zips[0])) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == files


def test_folders_that_are_links_belong_to_the_folder(tmp_path, folder):
    for name in ("set/cat", "dogs"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").write_bytes(name.encode())
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "dogs")
    (tmp_path / "set" / "wolf").symlink_to(tmp_path / "dogs")
    with zipfile.ZipFile(sources.from_path(tmp_path / "set", folder)) as packed:
        assert packed.namelist() == ["cat/1.png", "dog/1.png", "wolf/1.png"]
    (tmp_path / "dogs" / "all").symlink_to(tmp_path / "set")
    sentence = refusal(lambda: sources.from_path(tmp_path / "set", folder))
    assert sentence.endswith("is a link to a folder in which it lies itself: remove it")


def test_links_that_lead_to_nothing_are_packed_as_such_and_told(tmp_path, folder, capsys):
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "0.png").write_bytes(b"0")
    for number in range(1, 6):
        (tmp_path / "set" / "cat" / f"{number}.png").symlink_to(f"/nowhere/{number}.png")
    (tmp_path / "set" / "dog").symlink_to("/nowhere/dog")
    (tmp_path / "set" / "self").symlink_to("self")
    target = sources.from_path(tmp_path / "set", folder)
    assert capsys.readouterr().out == (
        "7 links lead to nothing (cat/1.png, cat/2.png, cat/3.png, cat/4.png and 3 more): "
        "extract rejects those among the data\n"
    )
    with zipfile.ZipFile(target) as packed:
        links = [member.filename for member in packed.infolist() if stat.S_ISLNK(member.external_attr >> 16)]
        assert links == [f"cat/{number}.png" for number in range(1, 6)] + ["dog", "self"]
        assert packed.read("cat/0.png") == b"0"
    assert b"nowhere" not in target.read_bytes()


def test_folders_without_a_file_are_told(tmp_path, folder, capsys):
    for name in ("full/deep", "empty/deep", "full/gap", ".hidden", "full/.git/refs", "a\nb"):
        (tmp_path / "set" / name).mkdir(parents=True)
    (tmp_path / "set" / "full" / "deep" / "1.png").touch()
    sources.from_path(tmp_path / "set", folder)
    assert capsys.readouterr().out == "no file in a\\nb, empty, full/gap: a folder without files becomes no class\n"
    for number in range(7):
        (tmp_path / "set" / f"empty {number}").mkdir()
    sources.from_path(tmp_path / "set", folder)
    assert "empty 0, empty 1, empty 2 and 5 more: a" in capsys.readouterr().out
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "1.png").touch()
    sources.from_path(tmp_path / "whole", folder)
    assert capsys.readouterr().out == ""


def test_the_working_folder_has_a_name(tmp_path, folder, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.png").touch()
    monkeypatch.chdir(tmp_path / "set")
    assert sources.from_path(Path(), folder).name == "set.zip"


def test_a_file_name_that_is_no_text_is_told(tmp_path, folder):
    (tmp_path / "set").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "set") + b"/\xff.png")).touch()
    sentence = refusal(lambda: sources.from_path(tmp_path / "set", folder))
    assert "has a name that is not UTF-8: rename it" in sentence
    assert names(folder) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.zip", "there is no file or folder"),
        ("picture.png", "is no archive: allowed are a folder, .zip, .7z, .tar"),
        ("set.7z.001", "is one part of an archive: unpack the first part with `7z x`"),
        ("set.rar", "is a RAR archive, which is not read: unpack it"),
        ("empty", "holds no files"),
    ],
)
def test_what_cannot_be_fetched_is_told(tmp_path, folder, name, says):
    for one in ("picture.png", "set.7z.001", "set.rar"):
        (tmp_path / one).touch()
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    sentence = refusal(lambda: sources.from_path(tmp_path / name, folder))
    assert says in sentence
    assert str(tmp_path / name) in sentence
    assert names(folder) == []


# From Kaggle: its own client, and a server on this machine that answers in Kaggle's place

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
    copy = sources.from_kaggle(SLUG, folder)
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
    assert sources.from_kaggle(f"{SLUG}/7", folder).name == "set.zip"
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
    assert sources.from_kaggle(SLUG, folder).read_bytes() == ARCHIVE
    assert TOKEN not in str(asked(server, STORAGE)[0].headers)
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_kaggle_download_goes_on_where_it_broke_off(folder, start, signed_in, pauses, capfd):
    server = start(file(LARGE, cuts=[1_100_000]))
    assert sources.from_kaggle(SLUG, folder).read_bytes() == LARGE
    assert [request.headers.get("Range") for request in asked(server, STORAGE)] == [None, "bytes=1048576-"]
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_kaggle_download_goes_on_in_the_next_run(folder, start, pauses):
    server = start(file(LARGE, cuts=[1_100_000] + [0] * 6))
    assert "Kaggle cannot be reached" in refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert names(folder) == []
    assert sources.from_kaggle(SLUG, folder).read_bytes() == LARGE
    assert server.requests[-1].headers["Range"] == "bytes=1048576-"


def test_an_error_page_in_the_middle_of_a_kaggle_download_never_becomes_part_of_it(folder, start, pauses):
    """Kaggle's client writes it into the file, and would put the rest behind it in the next run."""
    good, left = file(LARGE, cuts=[1_100_000]), [200, 503, 503]
    server = start(lambda request: Answer(503, b"<html>" * 200) if left and left.pop(0) == 503 else good(request))
    assert "Kaggle's client gave up" in refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert names(folder) == []
    assert sources.from_kaggle(SLUG, folder).read_bytes() == LARGE
    assert len(asked(server, STORAGE)) == 4


def test_what_kaggle_sends_must_be_an_archive(project, folder, start):
    start(file(b"<html>Sign in</html>"))
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert "https://www.kaggle.com/datasets/owner/set sent 20 bytes" in sentence
    assert "no archive but a web page" in sentence
    assert names(folder) == []
    assert no_waiting_bytes(project)


def test_the_signed_address_of_kaggles_storage_is_never_shown(folder, start, pauses, capfd):
    start(file(LARGE, cuts=[1_100_000] + [0] * 6))
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
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
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert (known if token else anonymous) in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())
    assert names(folder) == []


def test_a_token_that_has_expired_is_told(folder, start, signed_in, capfd):
    start(None, lambda _: trouble(401), active=False)
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert "your Kaggle token is not accepted (it answered 401): make a token" in sentence
    assert TOKEN not in sentence + "".join(capfd.readouterr())


@pytest.mark.parametrize("token", [False, True])
def test_without_a_network_kaggle_cannot_be_reached(folder, home, monkeypatch, capfd, token):
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
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
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
    assert sentence.startswith(("Kaggle wants a token", "your Kaggle token is not accepted", "Kaggle's client gave up"))
    assert "fetch.archive.ENTRY=" in sentence


def test_a_client_that_does_not_start_ends_in_one_sentence(folder, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    monkeypatch.delitem(sys.modules, "kaggle.api.kaggle_api_extended", raising=False)
    sentence = refusal(lambda: sources.from_kaggle(SLUG, folder))
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
