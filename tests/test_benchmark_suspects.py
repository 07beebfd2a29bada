import pandas as pd

from benchmarks.suspects import flip
from tests import make


def test_flipped_labels_are_other_ones_and_seeded():
    index = make.index_of([0, 1, 2, None] * 50)
    table = flip(index, ["a", "b", "c"], "mine", 0.1, 3)
    assert len(table) == 15
    assert table["path"].is_unique
    was = index.set_index("path")["label"].loc[table["path"]].map(dict(enumerate("abc")))
    assert not was.isna().any()
    assert (was.to_numpy() != table["label"].to_numpy()).all()
    pd.testing.assert_frame_equal(table, flip(index, ["a", "b", "c"], "mine", 0.1, 3))
