import pytest

from darkroom.config.params import load
from darkroom.config.yaml_files import flatten
from tests import make


def refusal():
    sentence = make.refusal(load)
    assert make.is_one_line(sentence)
    return sentence


def test_an_archive_serves_its_own_entry_alone(project):
    project.set(dataset="mnist", fetch__archive={"mnist": "/abs/mnistasjpg.zip"})
    assert load()[0].archive == "/abs/mnistasjpg.zip"
    project.set(dataset="digits")
    assert load()[0].archive is None


def test_an_archive_for_no_entry_is_refused_with_the_line_to_write(project):
    project.set(dataset="mnist", fetch__archive="/abs/x.zip")
    assert refusal() == (
        "params.yaml: fetch.archive is '/abs/x.zip', but must say for which entry: if for mnist, write there "
        "`archive: {mnist: /abs/x.zip}`, or git checkout params.yaml and -S ++fetch.archive.mnist=/abs/x.zip"
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("mnits", "did you mean mnist?"), ("?", "known are digits, mnist, "), (2025, "known are digits")]
)
def test_an_archive_for_an_entry_that_is_not_there(project, name, hint):
    project.set(fetch__archive={name: "/abs/x.zip", "mnist": None})
    assert refusal().startswith(f"params.yaml: fetch.archive.{name} is for no entry that datasets.yaml lists: {hint}")


def test_a_line_without_an_archive_may_outlive_its_entry(project):
    make.edit(project.datasets, {"mnist": ...})
    assert load()[0].fetch.archive["mnist"] is None


def test_it_is_not_a_setting_of_the_training_on_another_entry(project):
    project.set(fetch__archive={"mnist": "/abs/x.zip"})
    assert not [key for key in flatten(load()[0]) if key.startswith("fetch")]
