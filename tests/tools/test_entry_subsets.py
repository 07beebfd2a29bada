from darkroom.tools.asking import Asking
from darkroom.tools.choose_labels import for_others, for_training
from darkroom.tools.entry_subsets import subset_keys
from darkroom.tools.subset_parts import by_names_of_folders
from darkroom.tools.survey_archive import Names
from tests.tools.drafting import pictures


def keys(paths, **how):
    names = Names(paths)
    division = by_names_of_folders(names, range(len(names.folders)), Asking({}))
    training = for_training(division.parts["train"], [], Asking({}))
    sources = {"train": training}
    for subset in ("val", "test"):
        if subset in division.parts and (source := for_others(division.parts[subset], training, [])):
            sources[subset] = source
    return subset_keys(names.folders, division, sources, **how)


def test_plain_folders_where_they_say_all():
    assert keys(pictures("train/a", "train/b", "test/a", "test/b")) == {"train": "train", "test": "test"}


def test_a_test_without_labels_is_unlabelled():
    assert keys([*pictures("train/a", "train/b"), "test/x.png"]) == {"train": "train", "unlabeled": "test"}


def test_forms_of_groups_come_before_the_others():
    found = keys(pictures("d/a", "d/b"), group_forms=["{group}_*.png"])
    assert found == {"train": ["d/{label}/{group}_*.png", "d/{label}/*"]}
