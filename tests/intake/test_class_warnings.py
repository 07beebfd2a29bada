import pyarrow as pa
import pytest

from darkroom.intake import class_warnings


def warnings(*places, from_folders=True, **names):
    """The warnings for pictures in these folders, each given as `subset:folder`; `names` are those of the classes."""
    rows = []
    for number, place in enumerate(places):
        subset, _, folder = place.rpartition(":")
        label = folder.rpartition("/")[2]
        rows.append((f"{folder}/{number}.png", names.get(label, label), subset or "train"))
    paths, labels, subsets = zip(*rows, strict=True)
    index = pa.table({"path": paths, "label": pa.array(labels, pa.string()), "subset": subsets})
    return list(class_warnings.warnings(index, from_folders=from_folders))


@pytest.mark.parametrize(
    "places",
    [
        ("train/cat", "train/dog"),
        ("train:train/cat", "train:train/dog", "val:val/cat", "val:val/dog", "test:test/cat", "test:test/dog"),
        ("001.Black_footed_Albatross", "002.Laysan_Albatross"),
        ("1 euro", "2 euro", "10 cent", "20 cent"),
        ("Apple 1", "Apple 2"),
        ("0", "1", "10"),
        ("test:a/cat", "test:a/dog"),
    ],
)
def test_usual_classes_give_no_warning(places):
    assert warnings(*places) == []


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (
            ("d/cat/images", "d/dog/images", "d/dog/masks"),
            "images, masks are names that makers give to folders, not to kinds of things: if cat and its neighbours "
            'are the classes, write train: "d/{label}/**"; if they are classes indeed, all is well',
        ),
        (
            ("cat/images", "dog/images"),
            "images is the name that makers give to folders, not to kinds of things: if cat and its neighbours are "
            'the classes, write train: "{label}/**"; if it is a class indeed, all is well',
        ),
        (
            ("part_1", "part_2"),
            "part_1, part_2 are names that makers give to folders, not to kinds of things: if the names of the files "
            'tell the classes, say where, as in train: "part_1/{label}_*"; if a table does, write labels: TABLE; if '
            "they are classes indeed, all is well",
        ),
    ],
)
def test_folders_of_makers_are_no_kinds_of_things(places, said):
    assert warnings(*places) == [said]


@pytest.mark.parametrize("name", ["Train", "img", "40X", "400x", "part_1", "batch 3", "Ground_Truth", "New Folder (2)"])
def test_such_names_are_known_in_all_their_forms(name):
    assert len(warnings(f"a/{name}", "a/cat")) == 1


def test_a_class_in_several_places_may_be_part_of_another():
    places = [f"train/{animal}/{where}" for animal in ("cat", "dog", "eel") for where in ("indoor", "outdoor")]
    assert warnings(*places) == [
        "2 classes stand in several places, the first being indoor in train/cat, train/dog, train/eel: their pictures "
        "are taken together, for the label is the innermost folder; if cat, dog, eel are the classes, write "
        'train: "train/{label}/**"; if only one of these folders is meant, name it, as in train: "train/cat"'
    ]


def test_copies_of_all_classes_are_told_as_copies():
    places = [f"set/{kind}/{plant}" for kind in ("color", "grayscale", "segmented") for plant in ("apple", "corn")]
    assert warnings(*places) == [
        "2 classes stand in several places, the first being apple in set/color, set/grayscale, set/segmented: their "
        "pictures are taken together, for the label is the innermost folder; if only one of these folders is meant, "
        'name it, as in train: "set/color"'
    ]


def test_one_class_in_two_places_is_told():
    (said,) = warnings("a/cat", "b/cat", "b/dog")
    assert said.startswith("1 class stands in several places, the first being cat in a, b")


def test_makers_subsets_in_one_pattern_are_told_with_the_lines_to_write():
    (said,) = warnings("d/Training/cat", "d/Testing/cat", "d/copy/Training/cat", "d/Testing/dog", "d/Training/dog")
    assert said.endswith('if these are the makers\' subsets, write train: "d/Training", test: "d/Testing"')


def test_two_spellings_of_an_accent_are_one_place():
    assert warnings("a/caf\u00e9", "a/cafe\u0301", "a/tea", **{"cafe\u0301": "caf\u00e9"}) == []


def test_nearly_as_many_classes_as_pictures_are_told():
    (said,) = warnings(*(f"cat.{number}" for number in range(20)), from_folders=False)
    assert said == (
        "20 classes of 20 pictures, the first being cat.0: if a label takes too much of the names, give it a form, as "
        "in {label:[a-z]+}"
    )
    assert warnings(*(f"cat.{number}" for number in range(20) for _ in "ab"), from_folders=False) == []


def test_labels_from_elsewhere_say_nothing_of_folders():
    places = ("train/cat/images", "train/dog/images", "train/dog/masks")
    assert warnings(*places, from_folders=False) == []


def test_a_class_that_the_catalogue_names_has_been_looked_at():
    assert warnings("a/images", "a/cat", images="scene") == []


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (
            ("cat", "cat", "Cat", "cat ", "dog"),
            "'cat', 'Cat', 'cat ' are 3 classes whose names hardly differ: if they are one, write classes: "
            '{"Cat": "cat", "cat ": "cat"}',
        ),
        (("dog", "02_dog", "02_dog"), "'dog', '02_dog' are 2 classes whose names hardly differ"),
        (("cat ", "cat ", "cat"), "'cat', 'cat ' are 2 classes whose names hardly differ"),
        (("apple pie", "apple pie", "apple_pie"), "'apple pie', 'apple_pie' are 2 classes"),
        (
            ("a", "A", "b", "B", "c", "C"),
            "'A', 'a' are 2 classes whose names hardly differ (and so with 2 other names): if they are one, write "
            'classes: {"a": "A", "b": "B", "c": "C"}',
        ),
    ],
)
def test_names_that_hardly_differ_are_perhaps_one_class(places, said):
    (only,) = warnings(*places, from_folders=False)
    assert only.startswith(said)


def test_twins_that_the_catalogue_joins_are_one():
    assert warnings("cat", "Cat", "dog", Cat="cat") == []


def test_a_class_that_a_subset_lacks_is_told():
    assert warnings("train:t/cat", "train:t/dog", "val:v/cat", "val:v/dog", "test:x/cat", "test:x/hound") == [
        "hound has no picture in train: if another name is meant, join the two under `classes`, as in classes: "
        '{"hound": NAME}',
        "hound has no picture in val: if another name is meant, join the two under `classes`, as in classes: "
        '{"hound": NAME}',
        "dog has no picture in test: if another name is meant, join the two under `classes`, as in classes: "
        '{"dog": NAME}',
    ]


def test_unlabelled_pictures_are_of_no_class():
    index = pa.table(
        {
            "path": ["a/x/1.png", "a/y/1.png", "images/1.png"],
            "label": pa.array(["x", "y", None]),
            "subset": ["train", "train", "unlabeled"],
        }
    )
    assert list(class_warnings.warnings(index, from_folders=True)) == []
