from darkroom.config.patterns import Pattern
from darkroom.tools.picture_masks import NO_MASK, find_masks
from darkroom.tools.survey_archive import Names


def folders(paths):
    names = Names(paths)
    return {names.folders[place] for place in find_masks(names).folders}


def test_folders_of_masks_are_found_beside_their_pictures():
    paths = [f"d/{folder}/{number}.png" for folder in ("X", "X GT", "masks") for number in range(5)]
    assert folders(paths) == {"d/X GT", "d/masks"}
    assert folders([f"gt/{number}_mask.png" for number in range(5)] + [f"im/{n}.png" for n in range(5)]) == {"gt"}


def test_classes_that_speak_of_masks_are_none():
    assert folders([f"{folder}/{n}.png" for folder in ("with_mask", "without_mask") for n in range(5)]) == set()
    assert folders([f"{folder}/{folder}{n}.png" for folder in ("masks", "faces") for n in range(5)]) == set()


def test_masks_among_pictures_are_counted_and_left_out_by_a_form():
    names = Names([f"a/{number}{end}.png" for number in range(5) for end in ("", "_mask", "_mask_1")])
    assert find_masks(names).among == {0: 10}
    pattern = Pattern(f"a/{NO_MASK}")
    assert [pattern.match(f"a/{name}") is not None for name in ("1.png", "1_mask.png", "1_mask_1.png")] == [
        True,
        False,
        False,
    ]


def test_the_form_of_names_without_masks_stays_within_a_folder():
    pattern = Pattern(f"d/{{label}}/{NO_MASK}")
    assert pattern.match("d/cat/1.png") is not None
    assert pattern.match("d/cat/1_mask.png") is None
    assert pattern.match("d/cat/more/1.png") is None
