import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from stages import entry


def test_it_says_what_it_understood(project, capsys):
    project.set(dataset="mnist")
    entry.main()
    assert capsys.readouterr().out == (
        "mnist: from kaggle: scolianni/mnistasjpg; train: trainingSet; unlabeled: testSet; stored as 28x28x1\n"
        "next: dvc repro fetch\n"
    )


def test_it_does_not_say_a_password(project, capsys):
    project.add(url="https://me:secret@example.com/a.zip", image_size=[8, 9])
    entry.main()
    assert capsys.readouterr().out.startswith("mine: from url: https://...@example.com/a.zip; train: train; stored as")


def test_a_mistake_in_the_recipe_is_told_before_anything_is_fetched(project):
    project.add(path="a.zip", recipe={"train.epochz": 3})
    with pytest.raises(UserError, match=r"datasets.yaml: mine.recipe.train.epochz is not a key"):
        entry.main()
    assert not paths.ENTRY_SOURCE.exists()


def test_it_says_lists_and_tables_as_a_person_would_write_them(project, capsys):
    project.add(
        path=["train.zip", "b.zip"],
        train=["images/{label}_*.jpg", "@annotations/trainval.txt"],
        test="@annotations/test.txt",
        labels=["labels.csv", {"file": "more.csv", "label": "class"}],
    )
    entry.main()
    assert capsys.readouterr().out.startswith(
        "mine: from path: train.zip, b.zip; train: images/{label}_*.jpg, @annotations/trainval.txt; "
        "test: @annotations/test.txt; labels: labels.csv, more.csv; stored as 8x8x1\n"
    )


def test_it_says_no_password_of_any_address(project, capsys):
    project.add(url=["https://me:secret@example.com/a.zip", "https://you:hidden@example.com/b.zip"], train="")
    entry.main()
    out = capsys.readouterr().out
    assert out.startswith("mine: from url: https://...@example.com/a.zip, https://...@example.com/b.zip; train: .; ")
