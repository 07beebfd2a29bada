import pytest

from darkroom.config.entry_name import check_name
from darkroom.config.params import load
from tests import make


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "a-b", "7a", "x1", "-", "_", "nullable", "Infinite"])
def test_a_name_that_yaml_and_dvc_take_as_it_stands_is_accepted(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("flowers.v2", "flowers_v2"),
        (2025, "set_2025"),
        ("2025", "set_2025"),
        ("x[1]", "x_1"),
        (1000.0, "set_1000_0"),
        ("1e3", "set_1e3"),
        ("nan", "set_nan"),
        (True, "set_True"),
        ("null", "set_null"),
        ("my flowers", "my_flowers"),
        ("blüten", "bl_ten"),
        ("a/b", "a_b"),
        ("a\nb", "a_b"),
        ("", "set"),
        ("漢", "set"),
    ],
)
def test_another_name_is_refused_in_one_line_that_names_one_to_take(name, instead):
    sentence = make.refusal(lambda: check_name(name))
    assert sentence.startswith(
        f"{name!r} is no name for an entry: it must be letters, digits, - and _, and not a number"
    )
    assert sentence.endswith(f"rename it in datasets.yaml and params.yaml: {instead}")
    assert make.is_one_line(sentence)
    check_name(instead)


def test_no_name_at_all(project):
    project.set(dataset=None)
    assert make.refusal(load) == (
        "params.yaml: dataset is empty, but must be the name of an entry of datasets.yaml: write one"
    )


def test_a_wrong_name_is_told_before_the_catalogue_is_looked_into(project):
    project.add("flowers.v2", path="a.zip")
    make.edit(project.datasets, {"flowers.v2": 7})
    project.set(dataset="flowers.v2")
    assert make.refusal(load) == make.refusal(lambda: check_name("flowers.v2"))
