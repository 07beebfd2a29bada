import pytest

from darkroom.tools.subset_folders import subset_in, subsets_of


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("train", "train"), ("Training", "train"), ("trainingSet", "train"), ("seg_train", "train"),
        ("train_images", "train"), ("stage_2_train_images", "train"), ("valid", "val"), ("dev", "val"),
        ("TEST", "test"),
        ("testset", "test"), ("seg_pred", "unlabeled"), ("train_val2019", None), ("trainval", None), ("trains", None),
        ("te", None), ("contest", None), ("trnid", "train"),
    ],
)  # fmt: skip
def test_a_name_says_a_subset(name, subset):
    assert subset_in(name)[0] == subset


def test_what_else_a_name_says_is_told():
    assert subset_in("test-multiple_fruits") == ("test", ("multiple", "fruits"))


def test_the_outermost_part_that_tells_counts():
    assert subsets_of(["a/train/train/cat", "a/cat"]) == [("train", 1), None]


def test_a_name_that_says_more_needs_one_beside_it_of_another_subset():
    both = ["asl_train/A", "asl_test/A"]
    assert [one and one[0] for one in subsets_of(both)] == ["train", "test"]
    assert subsets_of(["set/Train/a", "set/Test/a", "set/test-multiple_fruits"])[2] is None


def test_a_test_that_says_more_counts_at_the_top_where_no_other_is():
    assert subsets_of(["simpsons/bart", "kaggle_testset"]) == [None, ("test", 0)]
    assert subsets_of(["things/test tube", "things/glass"]) == [None, None]
