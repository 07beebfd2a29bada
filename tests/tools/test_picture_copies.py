from darkroom.tools.asking import Asking
from darkroom.tools.picture_copies import find_copies
from tests.tools.drafting import PICTURE, pictures, surveyed


def left_out(tmp_path, files, chosen=None):
    seen = surveyed(tmp_path, files)
    asking = Asking(chosen or {})
    found = find_copies(seen, range(len(seen.pictures.folders)), asking)
    return {seen.pictures.folders[place] for place in found}, [one.name for one in asking.open()]


def same(paths):
    """Pictures that are the same where the folder and the name are."""
    return {path: PICTURE + "/".join(path.split("/")[-2:]).encode() + b"." for path in paths}


def test_the_deeper_of_two_equal_trees_is_a_copy(tmp_path):
    files = same(pictures("d/cat", "d/dog", "d/d/cat", "d/d/dog"))
    assert left_out(tmp_path, files) == ({"d/d/cat", "d/d/dog"}, [])


def test_a_sample_of_a_subset_is_a_copy(tmp_path):
    files = same(pictures("trainingSet/a", "trainingSet/b") + pictures("trainingSample/a", "trainingSample/b", count=3))
    assert left_out(tmp_path, files) == ({"trainingSample/a", "trainingSample/b"}, [])


def test_equal_names_of_other_pictures_are_no_copies(tmp_path):
    assert left_out(tmp_path, pictures("valid/a", "valid/b", "test/a", "test/b")) == (set(), [])
    assert left_out(tmp_path, pictures("benign/40X", "malignant/40X", "benign/100X", "malignant/100X")) == (set(), [])


def test_versions_of_a_set_are_asked_about(tmp_path):
    files = pictures("s/color/a", "s/color/b", "s/grayscale/a", "s/grayscale/b")
    assert left_out(tmp_path, files) == ({"s/grayscale/a", "s/grayscale/b"}, ["copies"])
    assert left_out(tmp_path, files, {"copies": "grayscale"}) == ({"s/color/a", "s/color/b"}, [])
    assert left_out(tmp_path, files, {"copies": "together"}) == (set(), [])


def test_folders_of_the_same_names_are_versions_and_no_classes(tmp_path):
    names = [f"{age}_0_2_{20161219140530000 + 997 * age}.png" for age in range(8)]
    files = [f"{folder}/{name}" for folder in ("faces", "crops") for name in names]
    assert left_out(tmp_path, files) == ({"faces"}, ["copies"])
    # Names that count come back in every class.
    assert left_out(tmp_path, pictures("cat", "dog")) == (set(), [])
    assert left_out(tmp_path, pictures("cat", "dog", name="{:05}_0001.png")) == (set(), [])


def test_other_things_at_the_same_magnifications_are_no_versions(tmp_path):
    files = [
        f"{kind}_tumour/{kind}-{slide}/{zoom}X/{kind}-{slide}-{zoom}-{number}.png"
        for kind in ("ductal", "papillary", "lobular")
        for slide in range(2)
        for zoom in (40, 100)
        for number in range(3)
    ]
    assert left_out(tmp_path, files) == (set(), [])
