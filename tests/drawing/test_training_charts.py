import io
import warnings

import pytest

from darkroom.drawing import training_charts
from darkroom.tools.learning_rate_search import RangeTest
from tests.tools.small_training import (
    parabola,
)


@pytest.mark.parametrize("test", [parabola(0.01), RangeTest([1e-5], [2.0]), RangeTest([0.1, 0.2], [2.0, 900.0])])
def test_the_picture_can_be_drawn(test):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = training_charts.learning_rates(test.rates, test.losses, test.smoothed, test.suggestion, 0.15)
        figure.savefig(io.BytesIO(), format="png")
    assert "$" not in "".join(label.get_text() for label in figure.axes[0].get_xticklabels())
