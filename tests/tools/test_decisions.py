"""Decisions of several people about one picture: nothing is lost, and what differs is told."""

import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from darkroom.base import paths
from darkroom.intake import corrections
from darkroom.tools import decisions
from darkroom.tools.decisions import Conflict, Decision, decide, made, read
from tests import make

HEAD = "dataset,path,action,label\n"
ONE = ("train/1.png", "cat")
DROP = Decision("drop", "", "Ada", "then")


def relabel(label, who="Ada"):
    return Decision("relabel", label, who, "then")


def keep(label="cat"):
    return Decision("keep", label, "Ada", "then")


def table():
    return paths.CORRECTIONS.read_bytes().decode()


@pytest.fixture(autouse=True)
def files(project):
    paths.CORRECTIONS.parent.mkdir()
    paths.CORRECTIONS.write_text(HEAD)


def test_a_relabel_and_a_drop_are_corrections_that_extract_reads():
    decide("mine", ONE, relabel("dog"), None)
    decide("mine", ("a, b.png", "dog"), DROP, None)
    assert table() == HEAD + 'mine,train/1.png,relabel,dog\nmine,"a, b.png",drop,\n'
    found = corrections.read(paths.CORRECTIONS, "mine")
    assert [(one.path, one.label) for one in found] == [("train/1.png", "dog"), ("a, b.png", None)]
    assert read("mine") == {"train/1.png": relabel("dog"), "a, b.png": DROP}
    assert read("other") == {}


def test_what_is_kept_is_no_correction():
    decide("mine", ONE, keep(), None)
    assert table() == HEAD
    assert (
        decisions.REVIEWED.read_text() == "dataset,path,decision,label,who,when\nmine,train/1.png,keep,cat,Ada,then\n"
    )
    assert read("mine") == {"train/1.png": keep()}


def test_a_new_decision_takes_the_place_of_the_old_one_and_none_takes_it_out():
    decide("mine", ONE, relabel("dog"), None)
    decide("mine", ("train/2.png", "cat"), DROP, None)
    decide("mine", ONE, relabel("cow"), relabel("dog"))
    assert table() == HEAD + "mine,train/1.png,relabel,cow\nmine,train/2.png,drop,\n"
    decide("mine", ONE, keep(), relabel("cow"))
    assert table() == HEAD + "mine,train/2.png,drop,\n"
    decide("mine", ONE, None, keep())
    assert read("mine") == {"train/2.png": DROP}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"dataset,path,action,label", b"dataset,path,action,label\nmine,train/1.png,drop,\n"),
        (
            b"\xef\xbb\xbfdataset,path,action,label,why\r\nother,train/1.png,drop,,\r\n",
            b"\xef\xbb\xbfdataset,path,action,label,why\r\nother,train/1.png,drop,,\r\nmine,train/1.png,drop,\r\n",
        ),
        (
            b'dataset,path,action,label\nmine,"two\nlines.png",drop,\n\nmine , 1.png,drop,\n',
            b'dataset,path,action,label\nmine,"two\nlines.png",drop,\n\nmine , 1.png,drop,\nmine,train/1.png,drop,\n',
        ),
    ],
)
def test_all_other_lines_stay_as_a_person_wrote_them(before, after):
    paths.CORRECTIONS.write_bytes(before)
    decide("mine", ONE, DROP, None)
    assert paths.CORRECTIONS.read_bytes() == after


def test_a_path_is_one_in_both_of_unicodes_forms():
    paths.CORRECTIONS.write_text(HEAD + "mine,caf\u0065\u0301.png,drop,\n")
    seen = read("mine")["caf\u00e9.png"]
    assert seen == Decision("drop", "")
    decide("mine", ("caf\u00e9.png", "cat"), relabel("dog"), seen)
    assert table() == HEAD + "mine,caf\u00e9.png,relabel,dog\n"


def test_a_decision_about_what_its_maker_has_not_seen_is_refused_and_not_written():
    decide("mine", ONE, relabel("dog", "Bob"), None)
    before = table()
    with pytest.raises(Conflict) as refused:
        decide("mine", ONE, DROP, None)
    assert refused.value.now == relabel("dog", "Bob")
    with pytest.raises(Conflict):
        decide("mine", ONE, None, DROP)
    assert table() == before
    assert decide("mine", ONE, DROP, relabel("dog")) == DROP  # seen now, and overruled


def test_what_was_taken_back_meanwhile_is_a_conflict_too():
    with pytest.raises(Conflict) as refused:
        decide("mine", ONE, DROP, relabel("dog"))
    assert refused.value.now is None


def test_two_who_decide_the_same_agree_and_the_first_stays_named():
    decide("mine", ONE, relabel("dog", "Bob"), None)
    assert decide("mine", ONE, relabel("dog", "Ada"), None) == relabel("dog", "Bob")


def test_to_keep_the_label_that_a_correction_gave_leaves_the_correction():
    paths.CORRECTIONS.write_text(HEAD + "mine,train/1.png,relabel,dog\n")
    decide("mine", ("train/1.png", "dog"), keep("dog"), None)
    assert table() == HEAD + "mine,train/1.png,relabel,dog\n"
    with pytest.raises(Conflict):  # before extract has applied it, keeping the old label takes it out
        decide("mine", ONE, keep("cat"), None)


def test_a_label_that_was_kept_and_is_there_no_more_is_no_decision():
    decide("mine", ONE, keep("cat"), None)
    known = read("mine")
    assert decisions.holding(known, "train/1.png", "cat") == keep("cat")
    assert decisions.holding(known, "train/1.png", "dog") is None
    assert decide("mine", ("train/1.png", "dog"), keep("dog"), None) == keep("dog")
    assert read("mine") == {"train/1.png": keep("dog")}


def test_a_correction_that_is_taken_out_by_hand_holds_no_more():
    decide("mine", ONE, relabel("dog"), None)
    paths.CORRECTIONS.write_text(HEAD)
    assert read("mine") == {}


def test_threads_lose_nothing():
    def work(name):
        for number in range(4):
            decide("mine", (f"{name}/{number}.png", "cat"), made("drop", "", name), None)

    workers = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(read("mine")) == len(table().splitlines()) - 1 == 16


def _decide_some(name):
    for number in range(20):
        decide("mine", (f"{name}/{number}.png", "cat"), made("relabel", "dog", name), None)


@pytest.mark.slow
def test_processes_lose_nothing():
    with ProcessPoolExecutor(3, get_context("fork")) as pool:
        list(pool.map(_decide_some, "abc"))
    assert len(read("mine")) == len(table().splitlines()) - 1 == 60


def test_the_state_of_the_files_changes_with_a_decision():
    before = decisions.state()
    assert decisions.state() == before
    decide("mine", ONE, keep(), None)
    assert decisions.state() != before


@pytest.mark.parametrize("content", [b"\xff", b'dataset,path,action,label\n"', b"path\n"])
def test_files_that_are_no_such_table_are_told(content):
    paths.CORRECTIONS.write_bytes(content)
    assert str(paths.CORRECTIONS) in make.refusal(lambda: decisions.check("mine"))


def test_reviewed_that_is_no_table_is_told():
    decisions.REVIEWED.write_bytes(b"\xff")
    assert str(decisions.REVIEWED) in make.refusal(lambda: decisions.check("mine"))
