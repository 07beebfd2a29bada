import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from darkroom.base.errors import UserError
from darkroom.config.augmentations import Augmentation, Blur, Choose, Erase, ResizedCrop
from darkroom.config.yaml_files import Section, check, keys

DEFAULTS = {
    "shift": {"pixels": 2},
    "crop": {"padding": 4},
    "flip": {},
    "turn": {},
    "rotate": {"degrees": 10},
    "affine": {},
    "perspective": {},
    "elastic": {},
    "resized_crop": {},
    "blur": {},
    "color": {},
    "erase": {},
    "salt_and_pepper": {},
    "trivial_augment": {},
    "rand_augment": {},
    "apply": {"changes": [{"turn": {}}]},
    "choose": {"changes": [{"turn": {}}, {"flip": {}}]},
    "function": {"name": "own.mine:change"},
}


class Holder(Section):
    augment: list[Augmentation]


def checked(*items):
    return check(Holder, {"augment": list(items)}, name=lambda key: f"params.yaml: {key}").augment


def error(*items):
    with pytest.raises(UserError) as caught:
        checked(*items)
    sentence = str(caught.value)
    assert sentence.startswith("params.yaml: augment")
    assert "\n" not in sentence
    return sentence.removeprefix("params.yaml: ")


def test_every_change_can_be_named_with_little_more_than_its_name():
    assert set(DEFAULTS) == set(Augmentation.model_fields)
    for name, settings in DEFAULTS.items():
        (item,) = checked({name: settings})
        assert item.settings is getattr(item, name) is not None


def nested(item, kind):
    inner = [{"flip": {}}, item]
    return {kind: {"changes": inner}}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"flipp": {}}, "{}.flipp is not a known key: did you mean flip?"),
        ({"blur": {"sigmaa": [1, 2]}}, "{}.blur.sigmaa is not a known key: did you mean sigma?"),
        ({"rotate": {}}, "{}.rotate.degrees is missing: add it"),
        ({"rotate": {"degrees": 181}}, "{}.rotate.degrees is 181, but must be less than or equal to 180"),
        ({"crop": {"padding": 2, "fill": "white"}}, "{}.crop.fill is 'white', but must be 'background', 'edge' or"),
        ({"flip": {}, "turn": {}}, "{}: each item must name exactly one change: shift, crop, flip"),
        ({"blur": {"sigma": [2, 1]}}, "{}.blur: sigma is [2.0, 1.0], but the first must not be above the second"),
        ({"apply": {"changes": []}}, "{}.apply.changes"),
        ({"apply": {"probability": 2, "changes": [{"turn": {}}]}}, "{}.apply.probability is 2, but must be less"),
        ({"choose": {"changes": [{"turn": {}}]}}, "{}.choose.changes"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_its_key_at_any_depth(item, message):
    assert error(item).startswith(message.format("augment.0"))
    for kind in ("apply", "choose"):
        assert error({"turn": {}}, nested(item, kind)).startswith(message.format(f"augment.1.{kind}.changes.1"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("shift", {"pixels": 0}),
        ("shift", {"pixels": 1.5}),
        ("shift", {"pixels": 1025}),
        ("crop", {"padding": 0}),
        ("flip", {"probability": 1.1}),
        ("flip", {"axis": "both"}),
        ("turn", {"degrees": 90}),
        ("rotate", {"degrees": 0}),
        ("affine", {"scale": 1}),
        ("affine", {"shear": 90}),
        ("affine", {"degrees": float("nan")}),
        ("perspective", {"distortion": 0.7}),
        ("elastic", {"strength": 0}),
        ("elastic", {"strength": float("inf")}),
        ("elastic", {"smoothness": 0.1}),
        ("resized_crop", {"scale": [0, 1]}),
        ("resized_crop", {"scale": [0.5, 1.5]}),
        ("resized_crop", {"scale": [0.5, 0.2]}),
        ("resized_crop", {"ratio": [0, 1]}),
        ("resized_crop", {"ratio": [2, 1]}),
        ("trivial_augment", {"magnitude": 9}),
        ("rand_augment", {"operations": 0}),
        ("rand_augment", {"operations": 15}),
        ("rand_augment", {"magnitude": 31}),
        ("rand_augment", {"magnitude": 2.5}),
        ("blur", {"sigma": [0, 1]}),
        ("blur", {"sigma": [1]}),
        ("blur", {"sigma": 1}),
        ("color", {"hue": 0.6}),
        ("color", {"brightness": -0.1}),
        ("erase", {"scale": [0.5, 0.1]}),
        ("erase", {"ratio": [0, 1]}),
        ("erase", {"ratio": [1, float("inf")]}),
        ("erase", {"fill": "white"}),
        ("salt_and_pepper", {"share": 0}),
        ("choose", {"changes": [{"turn": {}}, {"flip": {}}], "weights": [1]}),
        ("choose", {"changes": [{"turn": {}}, {"flip": {}}], "weights": [0, 0]}),
        ("choose", {"changes": [{"turn": {}}, {"flip": {}}], "weights": [-1, 2]}),
        ("choose", {"changes": [{"turn": {}}, {"flip": {}}], "weights": [1, float("inf")]}),
        ("function", {"name": "own.mine"}),
        ("function", {"name": "own.mine:"}),
        ("function", {"name": "../own.mine:change"}),
        ("function", {"name": "own.mine:change()"}),
        ("function", {"name": "own..mine:change"}),
        ("function", {"name": "owner.mine:change"}),
    ],
)
def test_what_lies_outside_its_range_is_an_error(name, settings):
    assert error({name: settings}).startswith(f"augment.0.{name}")


def test_an_item_without_a_change_is_an_error():
    assert "exactly one change" in error({})
    assert "exactly one change" in error({"flip": None})


def test_a_function_may_lie_in_a_package():
    (item,) = checked({"function": {"name": "own.package.changes:add_rain"}})
    assert item.settings.name == "own.package.changes:add_rain"


def test_a_function_outside_the_folder_own_is_refused_with_the_name_to_write():
    said = error({"function": {"name": "mine.changes:add_rain"}})
    assert said.startswith("augment.0.function.name: mine.changes:add_rain lies outside the folder own/")
    assert said.endswith("move its file into own/, and write own.changes:add_rain")


def test_defaults_are_each_one_s_own():
    assert Blur().sigma == [0.1, 2.0]
    assert (ResizedCrop().scale, ResizedCrop().ratio) == ([0.08, 1.0], [0.75, 1.333])
    assert (Erase().scale, Erase().ratio) == ([0.02, 0.33], [0.3, 3.3])
    assert Blur().sigma is not Blur().sigma


@given(st.lists(st.floats(0, 10), min_size=1, max_size=4))
def test_weights_are_one_for_each_change_and_not_all_zero(weights):
    content = {"changes": [{"turn": {}}, {"flip": {}}], "weights": weights}
    if len(weights) == 2 and sum(weights) > 0:
        assert Choose.model_validate(content).weights == weights
    else:
        with pytest.raises(ValidationError, match="one number for each of the 2 changes, and not all zero"):
            Choose.model_validate(content)


def test_the_keys_of_changes_within_changes_come_to_an_end():
    known = set(keys(Holder))
    assert "augment.*.choose.changes.*.flip.axis" in known
    assert len(known) < 10_000
