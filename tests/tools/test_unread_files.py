import pytest

from darkroom.base.errors import UserError
from darkroom.tools import unread_files
from tests.tools.drafting import drafted, pictures, surveyed


def test_files_that_say_the_class_of_one_picture_each_are_refused(tmp_path):
    files = dict.fromkeys(pictures("shard-0", "shard-1"))
    labels = {path.replace(".png", ".cls"): "1" for path in files}
    with pytest.raises(UserError, match=r"shard-0/0\.cls.*12 rows of image and label"):
        drafted(tmp_path, files | labels)
    unread_files.refuse_labels_of_single_pictures(surveyed(tmp_path, files | {"shard-0/0.cls": "1"}))


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.csv.gz"])
def test_a_table_in_another_form_is_named_where_nothing_labels(name, tmp_path):
    with pytest.raises(UserError, match=f"{name} may hold labels, and is not read: save it as CSV"):
        drafted(tmp_path, dict.fromkeys(pictures("images", name="{}.png")) | {name: "x"})


def test_a_split_by_numbers_is_told(tmp_path):
    files = dict.fromkeys(pictures("images/cat", "images/dog", name="x{}.png"))
    found = drafted(tmp_path, files | {"train_test_split.txt": "".join(f"{n} {n % 2}\n" for n in range(900, 912))})
    assert [one.value for one in found.evidence if one.key == "split"] == ["train_test_split.txt"]
    assert not [one for one in drafted(tmp_path, files).evidence if one.key == "split"]


def test_what_an_archive_without_pictures_holds_is_counted(tmp_path):
    assert (
        unread_files.kinds(surveyed(tmp_path, {"a.docx": "x", "b": "y"})) == "its files are 1 of .docx, 1 of no ending"
    )
