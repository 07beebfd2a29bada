"""A server on this machine answers in Hugging Face's place."""

import json
import zipfile

import pytest

from darkroom.intake import huggingface_source
from darkroom.intake.huggingface_source import data_set, pinned
from tests import make
from tests.intake.fetched import names, no_download_waits, refusal
from tests.intake.hub import API, COMMIT, hub, listed, refused
from tests.web import Answer, json_answer, serve

TOKEN = "hf_secret0123456789"
PLACE = f"owner/set@{COMMIT}"
FILES = {
    ".gitattributes": b"*.zip filter=lfs",
    "README.md": b"# A set",
    "train/dog/1 ü#?.png": make.picture(1),
    "train/cat/1.png": make.picture(2),
    "data/train.zip": make.zip_of({"a/1.png": make.picture(3, 60, 60)}, zipfile.ZIP_STORED),
}
LARGE = ("data/train.zip",)
PACKED = sorted(set(FILES) - {".gitattributes"})


@pytest.fixture(autouse=True)
def no_token(project, monkeypatch):
    """A user without any token of Hugging Face."""
    for key in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(project.folder / "token"))


@pytest.fixture
def start(monkeypatch):
    """Start a server in the place of Hugging Face's."""
    opened = []

    def start(answer):
        opened.append(serve(answer))
        server = opened[-1].__enter__()
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
        return server

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def contents(path):
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_all_files_of_a_commit_become_one_zip(project, folder, start, capsys):
    start(hub(FILES, large=LARGE))
    brought = data_set(PLACE, folder)
    assert brought == folder / "set.zip"
    assert list(contents(brought)) == PACKED
    assert contents(brought) == {name: FILES[name] for name in PACKED}
    assert names(folder) == ["set.zip"]
    assert no_download_waits(project)
    assert "/datasets/owner/set: 4 files, 0.0 MB" in capsys.readouterr().out


def test_the_bytes_depend_on_the_files_alone(folder, start):
    start(hub(FILES, large=LARGE))
    first = data_set(PLACE, folder).read_bytes()
    start(hub(dict(reversed(FILES.items())), size=2))
    assert data_set(PLACE, folder).read_bytes() == first


@pytest.mark.parametrize("way", ["variable", "file"])
def test_the_token_goes_to_hugging_face_alone(project, folder, start, monkeypatch, capfd, way):
    if way == "variable":
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    else:
        (project.folder / "token").write_text(f"{TOKEN}\n")
    server = start(hub(FILES, large=LARGE))
    brought = data_set(PLACE, folder)
    for request in server.requests:
        wanted = None if request.path.startswith("/storage") else f"Bearer {TOKEN}"
        assert request.headers.get("Authorization") == wanted
    assert TOKEN not in "".join(capfd.readouterr())
    assert TOKEN.encode() not in brought.read_bytes()


def test_a_download_goes_on_in_the_next_run(folder, start, pauses, small_pieces):
    server = start(hub(FILES, large=LARGE, cuts=[1000] + [0] * 4))
    assert "run again to go on where it stopped" in refusal(lambda: data_set(PLACE, folder))
    assert names(folder) == []
    before = len(server.requests)
    assert contents(data_set(PLACE, folder))["data/train.zip"] == FILES["data/train.zip"]
    again = [request for request in server.requests[before:] if not request.path.startswith("/api")]
    assert [request.headers.get("Range") for request in again if "storage" in request.path] == ["bytes=1000-"]


def test_what_an_interrupted_run_brought_is_not_fetched_again(folder, start, pauses):
    broken = "/1.png"
    server = start(hub(FILES, refusal=lambda request: Answer(503) if request.path.endswith(broken) else None))
    refusal(lambda: data_set(PLACE, folder))
    broken, before = "nothing", len(server.requests)
    assert list(contents(data_set(PLACE, folder))) == PACKED
    again = [request.path.rpartition("/")[2] for request in server.requests[before:]]
    assert again[1:] == ["1.png", "1%20%C3%BC%23%3F.png"]


def test_a_set_of_many_pages_is_read_whole(folder, start):
    files = {f"train/{number % 2}/{number}.png": b"%d" % number for number in range(7)}
    server = start(hub(files, size=2))
    assert contents(data_set(PLACE, folder)) == files
    assert sum(request.path.startswith(API) for request in server.requests) == 4


@pytest.mark.parametrize("place", ["owner/set", "owner/set@main", "owner/set@0123"])
def test_a_place_without_a_commit_is_refused_with_the_line_to_write(folder, start, place):
    server = start(hub(FILES, refusal=lambda request: json_answer(200, {"sha": COMMIT})))
    sentence = refusal(lambda: data_set(place, folder))
    assert sentence == f"huggingface: {place} names no commit, so it may change: write `huggingface: {PLACE}`"
    assert len(server.requests) == 1


def test_without_a_network_the_sentence_says_where_commits_stand(folder, monkeypatch, closed_port, pauses):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    sentence = refusal(lambda: data_set("owner/set", folder))
    assert f"127.0.0.1:{closed_port}/datasets/owner/set/commits/main, which could not be read" in sentence


def test_a_place_is_pinned(start):
    server = start(hub(FILES))
    assert pinned("owner/set") == pinned("owner/set@main") == PLACE
    assert pinned(PLACE) == PLACE
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"sha": "main"}', b'{"sha": null}', b"<html>", b"[" * 100_000, b'{"sha": "%s"}' % (b"0" * 41)],
)
def test_a_commit_that_is_none_is_told(start, body):
    start(lambda _: Answer(200, body))
    assert "does not say which commit owner/set is" in refusal(lambda: pinned("owner/set"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            refused(401, "GatedRepo"),
            "owner/set is given to those alone who asked for it (it answered 401): ask at http",
        ),
        (refused(403, "GatedRepo"), "/datasets/owner/set, and set HF_TOKEN to a token of "),
        (refused(401), "Hugging Face has no data set owner/set that may be read so (it answered 401)"),
        (refused(404, "RepoNotFound"), "check `huggingface:` in datasets.yaml against "),
        (refused(404, "RevisionNotFound"), f"owner/set has no commit {COMMIT} (it answered 404): take one of "),
        (refused(403, "", "Access to this resource is disabled.\x1b[31m"), "answered 403 forbidden for owner/set@"),
        (Answer(429), "cannot be reached, or the connection breaks off"),
        (Answer(500), "cannot be reached, or the connection breaks off"),
        (Answer(429, b"", {"RateLimit": '"api";r=0;t=900'}), "asks to be left alone for 900 seconds"),
        (Answer(200, b"<html>Sign in</html>"), "lists the files of owner/set in no known form"),
        (Answer(200, b""), "in no known form"),
        (Answer(200, b"[" * 100_000), "in no known form"),
        (Answer(200, b'[{"type": "file"}]'), "in no known form"),
        (Answer(200, b"[]"), "owner/set holds no data at this commit"),
        (Answer(302, b"", {"Location": "http://[/x"}), "cannot be fetched"),
        (Answer(200, head=b"\x1b[31mnonsense\r\n\r\n"), "cannot be reached"),
    ],
)
def test_what_the_server_refuses_is_told_with_a_remedy(folder, start, pauses, monkeypatch, answer, says):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    start(lambda _: answer)
    sentence = refusal(lambda: data_set(PLACE, folder))
    assert says in sentence
    assert TOKEN not in sentence
    assert names(folder) == []


def test_a_gated_file_is_told_too(folder, start):
    start(hub(FILES, refusal=lambda request: refused(403, "GatedRepo") if "/resolve/" in request.path else None))
    assert "is given to those alone who asked for it" in refusal(lambda: data_set(PLACE, folder))


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(folder, start, pauses):
    left = [Answer(429, b"", {"RateLimit": '"resolvers";r=0;t=55'})]
    start(hub(FILES, refusal=lambda request: left.pop() if left and "/resolve/" in request.path else None))
    assert list(contents(data_set(PLACE, folder))) == PACKED
    assert pauses == [55]


HOSTILE = [
    "../../x.png",
    "/etc/x.png",
    "a/../x.png",
    "a//x.png",
    "./x.png",
    "a\\x.png",
    "a/\0.png",
    "a\nb.png",
    "",
    "a/",
]


@pytest.mark.parametrize("path", [*HOSTILE, "a/\ud800.png"], ids=ascii)
def test_a_name_that_is_no_path_is_refused_before_anything_is_fetched(folder, start, path):
    server = start(hub({}, listing=[listed("a/1.png", b"1"), listed(path, b"2")]))
    sentence = refusal(lambda: data_set(PLACE, folder))
    assert "which is no path inside an archive" in sentence or "in no known form" in sentence
    assert len(server.requests) == 1


GOOD = listed("a/1.png", b"1")


@pytest.mark.parametrize(
    "entry",
    [
        GOOD | {"size": -1},
        GOOD | {"size": "many"},
        GOOD | {"oid": "../../../etc/passwd"},
        GOOD | {"oid": None},
        GOOD | {"lfs": {"oid": "0" * 64, "size": -5}},
        GOOD | {"lfs": {"oid": "../x", "size": 5}},
        GOOD | {"path": 5},
        GOOD | {"path": None},
        5,
        None,
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_is_refused(folder, start, entry):
    start(hub({}, listing=[GOOD, entry]))
    assert "in no known form" in refusal(lambda: data_set(PLACE, folder))


def test_a_file_that_is_listed_twice_is_refused(folder, start):
    start(hub({}, listing=[listed("a/1.png", b"1"), listed("a/1.png", b"2")]))
    assert "lists 'a/1.png' of owner/set twice" in refusal(lambda: data_set(PLACE, folder))


@pytest.mark.parametrize("page", ["[]", "full"])
def test_a_listing_without_an_end_is_left(folder, start, monkeypatch, page):
    monkeypatch.setattr(huggingface_source, "PAGES", 5)
    monkeypatch.setattr(huggingface_source, "FILES", 20)

    def answer(request):
        number = len(server.requests)
        body = json.dumps([listed(f"{number}/{one}.png", b"1") for one in range(8)]) if page == "full" else page
        return Answer(200, body.encode(), {"Link": f'<{server.url}{API}/tree/{COMMIT}?cursor={number}>; rel="next"'})

    server = start(answer)
    assert "owner/set has more than 20 files, or its listing has no end" in refusal(lambda: data_set(PLACE, folder))
    assert len(server.requests) < 8


@pytest.mark.parametrize("link", ["http://localhost:1/x", "//example.com/x", "file:///etc/passwd"])
def test_a_listing_that_goes_on_elsewhere_is_left_before_the_token_is_shown(folder, start, monkeypatch, link):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server = start(lambda _: Answer(200, b"[]", {"Link": f'<{link}>; rel="next"'}))
    assert "lists the files of owner/set on another server" in refusal(lambda: data_set(PLACE, folder))
    assert len(server.requests) == 1


def test_an_answer_that_never_ends_is_left(folder, start, monkeypatch):
    monkeypatch.setattr(huggingface_source, "ANSWER", 1000)
    monkeypatch.setattr(huggingface_source, "PIECE", 100)
    start(lambda _: Answer(200, b"[" + b" " * 5000))
    assert "answers with more than 0.0 MB about owner/set" in refusal(lambda: data_set(PLACE, folder))


@pytest.mark.parametrize("sent", [b"other", b"", b"<html>", make.picture(2)[:-1]])
def test_other_bytes_than_those_of_the_commit_are_refused_and_not_kept(project, folder, start, sent):
    start(hub(FILES, refusal=lambda request: Answer(200, sent) if request.path.endswith("cat/1.png") else None))
    sentence = refusal(lambda: data_set(PLACE, folder))
    size = len(FILES["train/cat/1.png"])
    assert f"sent {len(sent)} bytes as train/cat/1.png, which are not the {size} of this commit" in sentence
    assert not list(project.folder.rglob("*.part"))
    assert names(folder) == []


def test_sizes_that_no_disk_holds_are_told_before_anything_is_fetched(folder, start):
    server = start(hub({}, listing=[GOOD | {"size": 10**18}]))
    assert "owner/set, downloaded and packed, takes 2000000000.0 GB" in refusal(lambda: data_set(PLACE, folder))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["set.py", "README.md"], "owner/set holds no data but a script (set.py) that brings them from elsewhere"),
        (["README.md", ".gitattributes"], "owner/set holds no data at this commit"),
        ([".hidden/1.png"], "owner/set holds no data at this commit"),
    ],
)
def test_a_set_without_data_is_told(folder, start, paths, says):
    start(hub({}, listing=[listed(path, b"1") for path in paths]))
    assert says in refusal(lambda: data_set(PLACE, folder))


def test_a_folder_in_the_listing_is_no_file(folder, start):
    files = {"train/a.png": b"1"}
    folder_of_it = {"type": "directory", "path": "train", "oid": "0" * 40, "size": 0}
    start(hub(files, listing=[folder_of_it, listed("train/a.png", b"1")]))
    assert contents(data_set(PLACE, folder)) == files


def test_hundreds_of_files_come_in_the_order_of_their_paths(folder, start):
    entries = [GOOD | {"path": f"train/{number % 10}/{number}.png"} for number in range(600)]
    start(hub({"train/0/0.png": b"1"}, listing=entries))
    packed = list(contents(data_set(PLACE, folder)))
    assert len(packed) == 600
    assert packed == sorted(packed)


def test_equal_files_are_fetched_once(folder, start):
    server = start(hub({"a/1.png": b"same", "b/1.png": b"same"}))
    assert contents(data_set(PLACE, folder)) == {"a/1.png": b"same", "b/1.png": b"same"}
    assert sum("/resolve/" in request.path for request in server.requests) == 1
