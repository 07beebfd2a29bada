import errno
import sys
from zipfile import ZipFile

import pytest

from darkroom.base.errors import UserError
from darkroom.config.catalogue import checked
from darkroom.config.entry_files import EntrySource
from darkroom.config.params import load
from darkroom.config.yaml_files import read_yaml
from darkroom.intake.fetching import fetch
from darkroom.tools import add, commands, draft_answers
from darkroom.tools.draft_answers import refuse
from tests import make
from tests.intake.fetched import ARCHIVE
from tests.tools.drafts import ENTRY, asking, draft, question
from tests.web import file, serve

drafting = add._drafting
GROUP = question("group", "patient", "none")
DIGITS = "digits: {bundled: digits, train: digits, channels: 1, image_size: 8}  # the default\n"


@pytest.fixture(autouse=True)
def quick(project, monkeypatch):
    """A short catalogue, and no measuring of this machine; the engine, which has tests of its own, asks which group."""
    project.datasets.write_text(DIGITS)
    monkeypatch.setattr(add, "cost", lambda *_: ["a run: 33 images"])
    monkeypatch.setattr(add, "_drafting", lambda archive: asking(GROUP))


@pytest.fixture
def archive(project):
    path = project.folder / "cats-and dogs.zip"
    path.write_bytes(ARCHIVE)
    return path


def run(text, name=None, answers=None, ask=refuse):
    add.run(str(text), add.Path.cwd(), name, {"group": "none"} if answers is None else answers, ask)


def entry(name, project):
    return read_yaml(project.datasets)[name]


def refused(*arguments, **options):
    with pytest.raises(UserError) as raised:
        run(*arguments, **options)
    assert make.is_one_line(str(raised.value))
    return str(raised.value)


def test_the_entry_is_written_and_shown_with_the_next_command(archive, project, capsys):
    before = project.datasets.read_bytes()
    run(archive)
    written = project.datasets.read_bytes()
    assert written.startswith(before)
    assert entry("cats-and_dogs", project) == {
        "path": str(archive), "title": "cats and dogs", **ENTRY, "classes": {"group": "none"},
        "recipe": {"split.stable": True},
    }  # fmt: skip
    shown = capsys.readouterr().out
    assert shown.startswith("understood:\n")
    assert "a run: 33 images" in shown
    assert written[len(before) :].decode() in shown
    assert shown.endswith(
        "wrote the entry cats-and_dogs to datasets.yaml\nnext: dvc exp run -S dataset=cats-and_dogs\n"
    )


def test_the_entry_is_one_that_the_pipeline_takes(archive, project):
    run(archive)
    project.set(dataset="cats-and_dogs")
    params, _ = load()
    assert params.split.stable is True


def test_the_same_source_again_changes_nothing(archive, project, capsys):
    run(archive)
    once = project.datasets.read_bytes()
    run("cats-and dogs.zip", answers={})
    assert project.datasets.read_bytes() == once
    assert "has this source already, as cats-and_dogs: nothing changed" in capsys.readouterr().out


def test_an_entry_that_is_there_word_for_word_changes_nothing(archive, project, capsys):
    run(archive)
    once = project.datasets.read_bytes()
    run(archive, name="cats-and_dogs")
    assert project.datasets.read_bytes() == once
    assert "has this entry already, as cats-and_dogs: nothing changed" in capsys.readouterr().out


def test_a_second_entry_of_a_source_has_a_name_of_its_own(archive, project):
    run(archive)
    run(archive, name="other", answers={"group": "patient"})
    assert entry("other", project)["classes"] == {"group": "patient"}


def test_the_name_of_another_entry_is_refused(archive, project):
    run(archive)
    content = project.datasets.read_bytes()
    assert refused(archive, name="digits") == (
        "datasets.yaml has an entry digits of another source: choose another name with --name"
    )
    assert "has an entry cats-and_dogs of other content" in refused(
        archive, name="cats-and_dogs", answers={"group": "patient"}
    )
    assert "is no name for an entry" in refused(archive, name="a b")
    assert project.datasets.read_bytes() == content


def test_an_open_question_writes_nothing(archive, project, capsys):
    content = project.datasets.read_bytes()
    assert refused(archive, answers={}).startswith("1 question is open: run again with --choose group=patient or")
    assert project.datasets.read_bytes() == content


def test_a_person_who_leaves_writes_nothing(archive, project, monkeypatch):
    content = project.datasets.read_bytes()
    monkeypatch.setattr("builtins.input", lambda prompt: "q")
    with pytest.raises(draft_answers.Left):
        run(archive, answers={}, ask=draft_answers.ask)
    assert project.datasets.read_bytes() == content


@pytest.mark.parametrize("words", [[], ["--yes"]])
def test_the_command_asks_nothing_without_a_terminal(archive, words, project):
    with pytest.raises(UserError, match="1 question is open: run again with --choose group=patient"):
        commands.main(["add", archive.name, *words])
    commands.main(["add", archive.name, *words, "--choose", "group=none", "--name", "mine"])
    assert "mine" in read_yaml(project.datasets)


def test_the_command_asks_at_a_terminal(archive, project, monkeypatch, capsys):
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    typed = iter(["q", "2"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    with pytest.raises(SystemExit) as ended:
        commands.main(["add", archive.name])
    assert ended.value.code == 1
    assert capsys.readouterr().out.endswith("\ndatasets.yaml is as it was\n")
    commands.main(["add", archive.name])
    assert entry("cats-and_dogs", project)["classes"] == {"group": "none"}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/a/cats.zip", "cats"), ("/a/cats.tar.gz", "cats"), ("/a/train.csv", "train"),
        ("/a/my cats.v2.zip", "my cats.v2"),
        ("owner/cats-and-dogs", "cats-and-dogs"), ("owner/cats/3", "cats"), ("owner/cats@0123", "cats"),
        ("dog-breed-identification", "dog-breed-identification"), ("https://a.b/c/caf%C3%A9.zip?x=/y.zip#z", "café"),
    ],
)  # fmt: skip
def test_a_source_has_a_name(place, name):
    assert add._own_name(place) == name


@pytest.mark.parametrize(
    "name", ["yes", "1e3", "null", "a\nb", "#", "日本", "x" * 200, "'\"", "{a}", "..a", "-", "a: b"]
)
def test_a_folder_of_an_odd_name_gets_an_entry(archive, project, name):
    folder = project.folder / "odd" / name
    folder.mkdir(parents=True)
    before = list(read_yaml(project.datasets))
    run(folder)
    (called,) = set(read_yaml(project.datasets)) - set(before)
    assert entry(called, project)["path"] == str(folder)
    checked(called, entry(called, project))
    run(folder)  # it is known again
    assert len(read_yaml(project.datasets)) == len(before) + 1


def test_a_name_that_is_not_utf_8_is_one_sentence(archive, project):
    folder = project.folder / "a\udcff"
    folder.mkdir()
    content = project.datasets.read_bytes()
    assert "holds half of a character" in refused(folder)
    assert project.datasets.read_bytes() == content


def test_what_lies_in_the_folder_of_the_stage_fetch_is_refused(archive, project):
    inside = project.folder / "data" / "raw"
    inside.mkdir(parents=True)
    archive.rename(inside / "a.zip")
    assert "lies in data/raw, which DVC empties before the stage fetch" in refused(inside / "a.zip")
    assert "holds data/raw, which DVC empties before the stage fetch" in refused(project.folder)


def test_a_download_is_looked_into_where_it_is_kept_for_the_stage_fetch(project, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(add, "_drafting", lambda archive: seen.append(archive.read_bytes()) or asking(GROUP))
    with serve(file(ARCHIVE)) as server:
        run(f"{server.url.replace('://', '://me:secret@')}/cats.zip")
        assert seen == [ARCHIVE]
        # The stage fetch, with the entry, downloads nothing.
        project.set(dataset="cats")
        asked = len(server.requests)
        fetch(EntrySource.of(*load()), project.folder / "raw")
        assert len(server.requests) == asked
        assert refused(f"{server.url}/nothing.txt")
    assert entry("cats", project)["url"].endswith(
        "@127.0.0.1" + server.url.removeprefix("http://127.0.0.1") + "/cats.zip"
    )
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.txt", "a", "a.jpg", "a.pdf"])
def test_what_is_no_archive_is_one_sentence(name, archive, project):
    archive.rename(project.folder / name)
    assert "is no archive: allowed are .zip" in refused(name)


def test_a_file_of_pictures_is_looked_into_as_the_archive_that_fetch_makes_of_it(archive, project, monkeypatch):
    seen = []
    monkeypatch.setattr(add, "_drafting", lambda archive: seen.extend(ZipFile(archive).namelist()) or asking(GROUP))
    (project.folder / "train.csv").write_text("label,pixel0\n")
    run("train.csv")
    assert seen == ["train.csv"]
    assert entry("train", project)["path"] == str(project.folder / "train.csv")


def test_a_broken_catalogue_is_said_before_anything_is_read(archive, project, monkeypatch):
    monkeypatch.setattr(add, "_drafting", lambda archive: pytest.fail("nothing is to be read"))
    project.datasets.write_text("a: [")
    assert refused(archive).startswith("datasets.yaml, line 1")
    project.datasets.unlink()
    project.datasets.mkdir()
    with pytest.raises(IsADirectoryError):
        run(archive)


def test_a_title_that_says_no_more_than_the_name_is_left_out(archive, project):
    run(archive.rename(archive.with_name("cats.zip")))
    assert "title" not in entry("cats", project)


def test_an_empty_catalogue_gets_its_first_entry(archive, project):
    project.datasets.write_text("# nothing yet")
    run(archive)
    assert list(read_yaml(project.datasets)) == ["cats-and_dogs"]


def test_an_entry_that_is_odd_does_not_disturb(archive, project):
    project.datasets.write_text(
        "a: 1\nb:\nc: [x]\nd: {path: ~nobody/a.zip}\ne: {path: 3}\nf: {path: [a, b]}\n1: {url: 2}\n"
    )
    run(archive)
    assert "cats-and_dogs" in read_yaml(project.datasets)


def test_a_full_disk_leaves_the_catalogue(archive, project, monkeypatch):
    content = project.datasets.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        run(archive)
    assert project.datasets.read_bytes() == content


def test_a_limit_that_is_wrong_is_one_sentence(project):
    project.set(extract__max_members=0)
    with pytest.raises(UserError, match=r"params\.yaml: extract\.max_members"):
        drafting(project.folder)


def test_a_long_entry_is_shown_by_its_first_lines(archive, project, monkeypatch, capsys):
    many = draft(ENTRY | {"classes": {f"class {n}": f"name {n}" for n in range(100)}})
    monkeypatch.setattr(add, "_drafting", lambda archive: lambda chosen: many)
    run(archive, answers={})
    shown = capsys.readouterr().out
    assert "more lines\n" in shown
    assert "name 99" not in shown
    assert len(entry("cats-and_dogs", project)["classes"]) == 100


def test_words_of_the_archive_come_back_from_the_catalogue(archive, project, monkeypatch):
    odd = [
        "yes",
        "null",
        "1e3",
        "012",
        "@x"[::-1],
        "{",
        "*x",
        "&x",
        "a: b",
        "a #b",
        "'",
        '"',
        "\n",
        "\x1b",
        "😀",
        "x" * 3000,
    ]
    content = {
        "train": ["a/*", "b: c/#*"], "labels": {"file": "no.csv", "image": "*", "label": odd},
        "classes": dict.fromkeys(odd, "&"), "channels": 1, "image_size": [8, 9],
    }  # fmt: skip
    monkeypatch.setattr(add, "_drafting", lambda archive: lambda chosen: draft(content))
    run(archive, answers={})
    assert entry("cats-and_dogs", project).items() >= content.items()


WORDS = ["yes", "null", "1e3", "012", "1:30", "a: b", "a #b", "it's", "a\nb", "# 😀", "-", "<<", "?", "x" * 200]


@pytest.mark.parametrize("word", WORDS)
def test_odd_names_of_files_columns_and_folders_come_back_from_an_archive(word, project, monkeypatch):
    monkeypatch.setattr(add, "_drafting", drafting)
    rows = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(8))
    files = {f"{word}/{number}.png": make.picture(number, 16, 16) for number in range(8)}
    table = f'id,"{word}"\n{rows}'.encode()
    (project.folder / "odd.zip").write_bytes(make.zip_of({f"{word}.csv": table, **files}))
    run("odd.zip", answers={})
    assert entry("odd", project)["train"] == word
    assert entry("odd", project)["labels"] == {"file": f"{word}.csv", "image": "id", "label": word}
