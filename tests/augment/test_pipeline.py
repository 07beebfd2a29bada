import dataclasses
from pathlib import Path

import pytest
import torch

from darkroom.augment import pipeline
from darkroom.augment.randomness import Draw, whole
from darkroom.base.errors import UserError
from darkroom.config.augmentations import Augmentation

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_changes(own):
    own("changes.py", Path(__file__).with_name("own_changes.py").read_text())


def draw(count, seed=0, epoch=1):
    return whole(torch.Generator().manual_seed(seed), torch.arange(count), CPU, epoch=epoch)


def part(count, chosen, seed=0, epoch=1):
    return Draw(torch.Generator().manual_seed(seed), torch.arange(count), chosen, epoch, CPU)


def batch(count=16, channels=3, height=9, width=9, seed=1):
    """The same image, `count` times."""
    image = torch.randint(0, 256, (1, channels, height, width), generator=torch.Generator().manual_seed(seed))
    return image.float().repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)


def build(*items, ground=7.0, channels=3):
    value = torch.full((channels,), ground)
    return pipeline.build([Augmentation.model_validate(item) for item in items], value, value)


CHANGES = [
    {"shift": {"pixels": 2}},
    {"shift": {"pixels": 12}},
    {"crop": {"padding": 3, "fill": "background"}},
    {"crop": {"padding": 12, "fill": "edge"}},
    {"crop": {"padding": 3}},
    {"flip": {}},
    {"flip": {"axis": "vertical"}},
    {"flip": {"alternate": True}},
    {"turn": {}},
    {"rotate": {"degrees": 20}},
    {"affine": {"degrees": 20, "scale": 0.2, "shear": 10, "shift": 0.2}},
    {"perspective": {}},
    {"elastic": {"smoothness": 1}},
    {"resized_crop": {}},
    {"resized_crop": {"scale": [0.3, 0.3], "ratio": [3, 3]}},
    {"blur": {}},
    {"color": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.2}},
    {"erase": {}},
    {"erase": {"probability": 1, "fill": "noise"}},
    {"erase": {"probability": 1, "scale": [0.2, 0.2], "fill": "black"}},
    {"salt_and_pepper": {"share": 0.5}},
    {"trivial_augment": {}},
    {"rand_augment": {}},
    {"rand_augment": {"operations": 14, "magnitude": 30}},
    {"apply": {"changes": [{"trivial_augment": {}}, {"resized_crop": {}}]}},
    {"apply": {"changes": [{"shift": {"pixels": 2}}, {"salt_and_pepper": {}}]}},
    {"choose": {"changes": [{"flip": {"probability": 1}}, {"rotate": {"degrees": 20}}, {"elastic": {}}]}},
    {"function": {"name": "own.changes:dim"}},
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: "-".join(change))


@each_change
def test_equal_images_in_a_batch_come_out_different(change):
    changed = build(change)(batch(), draw(16))
    assert any(not torch.equal(changed[0], other) for other in changed[1:])


@each_change
@pytest.mark.parametrize(
    "shape", [(5, 3, 9, 9), (4, 1, 12, 7), (1, 3, 7, 10), (1, 1, 4, 4), (0, 3, 9, 9), (0, 1, 5, 8)]
)
def test_form_and_range_are_kept_and_the_input_is_not_touched(change, shape):
    if "turn" in change and shape[2] != shape[3]:
        pytest.skip("square images only")
    images = batch(*shape)
    before = images.clone()
    changed = build(change, channels=shape[1])(images, draw(shape[0]))
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert changed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)
    assert not changed.requires_grad
    assert ((changed >= 0) & (changed <= 255)).all()


@each_change
def test_the_same_state_gives_the_same_change_and_torch_s_own_generator_has_no_part_in_it(change):
    run = build(change)
    torch.manual_seed(1)
    first = run(batch(), draw(16, seed=3))
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(run(batch(), draw(16, seed=3)), first)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert "alternate" in str(change) or not torch.equal(run(batch(), draw(16, seed=4)), first)


@each_change
def test_processes_that_share_a_batch_change_it_as_one_does_and_stay_in_step(change):
    # A change after it shows whether the generator is left in the same state; the last process has no images.
    run = build(change, {"salt_and_pepper": {"share": 0.9}})
    images = torch.cat([batch(1, seed=seed) for seed in range(12)])
    together = run(images, draw(12))
    for chosen in (torch.arange(6), torch.arange(6, 12), torch.tensor([8]), torch.tensor([11, 0]), torch.arange(0)):
        alone = run(images[chosen], part(12, chosen))
        assert torch.allclose(alone, together[chosen], atol=1e-3)


@each_change
def test_parts_of_a_choice_leave_the_generator_alike_whoever_has_them(change):
    run = build({"apply": {"probability": 0.1, "changes": [change]}}, {"salt_and_pepper": {"share": 0.9}})
    images = batch(12)
    together = run(images, draw(12))
    for chosen in torch.arange(12).split(1):
        assert torch.allclose(run(images[chosen], part(12, chosen)), together[chosen], atol=1e-3)


def test_no_changes_leave_images_as_they_are():
    assert torch.equal(build()(batch(), draw(16)), batch())


def test_changes_run_in_their_order():
    black = {"erase": {"probability": 1, "scale": [1, 1], "fill": "black"}}
    white = {"erase": {"probability": 1, "scale": [1, 1], "fill": "mean"}}
    assert build(black, white, ground=200.0)(batch(), draw(16)).unique().tolist() == [200]
    assert build(white, black, ground=200.0)(batch(), draw(16)).unique().tolist() == [0]


STRONG = {"flip": {}, "perspective": {}, "elastic": {}, "blur": {"sigma": [1, 2]}, "erase": {}}


@pytest.mark.parametrize(("name", "settings"), [*STRONG.items(), ("salt_and_pepper", {"share": 1})])
def test_a_probability_says_how_many_images_change(name, settings):
    def changed(probability):
        after = build({name: settings | {"probability": probability}})(batch(400), draw(400))
        return (after != batch(400)).flatten(1).any(1).float().mean()

    assert changed(0.0) == 0
    assert changed(1.0) > 0.95  # salt and pepper may fall on no pixel
    assert 0.2 < changed(0.3) < 0.4


def test_apply_runs_its_changes_on_its_images_alone():
    flip = {"flip": {"probability": 1}}
    images = batch(400)
    never, always = ({"apply": {"probability": share, "changes": [flip]}} for share in (0.0, 1.0))
    assert torch.equal(build(never)(images, draw(400)), images)
    assert torch.equal(build(always)(images, draw(400)), images.flip(3))
    assert torch.equal(build({"apply": {"probability": 1, "changes": [flip, flip]}})(images, draw(400)), images)
    changed = build({"apply": {"probability": 0.25, "changes": [flip]}})(images, draw(400))
    mirrored = (changed == images.flip(3)).flatten(1).all(1)
    assert 0.18 < mirrored.float().mean() < 0.32
    assert torch.equal(changed[~mirrored], images[~mirrored])


def test_choose_takes_options_by_weight():
    # Each option paints the image in one value.
    options = [
        {"erase": {"probability": 1, "scale": [1, 1], "fill": "black"}},
        {"erase": {"probability": 1, "scale": [1, 1], "fill": "mean"}},
        {"flip": {"probability": 0}},
        {"function": {"name": "own.changes:whiten"}},
    ]
    images = torch.full((2000, 1, 2, 2), 100.0)

    def shares(**weights):
        changed = build({"choose": {"changes": options, **weights}}, channels=1)(images, draw(2000))
        assert (changed == changed[:, :, :1, :1]).all()
        return [(changed[:, 0, 0, 0] == value).float().mean().item() for value in (0.0, 7.0, 100.0, 255.0)]

    assert shares() == pytest.approx([0.25] * 4, abs=0.04)
    assert shares(weights=[1, 6, 0, 3]) == pytest.approx([0.1, 0.6, 0.0, 0.3], abs=0.04)
    assert shares(weights=[0, 5, 0, 0]) == [0, 1, 0, 0]


def flipped(epoch, positions, axis="horizontal", seed=0):
    images = batch(len(positions), width=8)
    state = Draw(torch.Generator().manual_seed(seed), positions, torch.arange(len(positions)), epoch, CPU)
    changed = build({"flip": {"axis": axis, "alternate": True}})(images, state)
    mirrored = (changed == images.flip(3 if axis == "horizontal" else 2)).flatten(1).all(1)
    assert torch.equal(changed[~mirrored], images[~mirrored])
    return mirrored


def test_alternate_flips_turn_over_with_each_epoch_and_go_by_the_place_in_the_training_set():
    positions = torch.arange(500)
    first = flipped(1, positions)
    assert 0.43 < first.float().mean() < 0.57
    assert torch.equal(flipped(2, positions), ~first)
    assert torch.equal(flipped(3, positions, seed=9), first)
    shuffled = positions.flip(0)
    assert torch.equal(flipped(1, shuffled), first.flip(0))
    # Neighbours are unrelated, and so are the two axes.
    assert 0.43 < (first[1:] == first[:-1]).float().mean() < 0.57
    assert 0.43 < (first == flipped(1, positions, axis="vertical")).float().mean() < 0.57


@pytest.mark.parametrize("change", [{"flip": {}}, {"flip": {"axis": "vertical"}}, {"turn": {}}])
def test_flips_and_turns_only_move_pixels(change):
    changed = build(change)(batch(), draw(16))
    assert torch.equal(changed.flatten(2).sort(2).values, batch().flatten(2).sort(2).values)


def test_all_four_turns_come_up():
    changed = build({"turn": {}})(batch(400), draw(400))
    for times in range(4):
        share = (changed == batch(400).rot90(times, (2, 3))).flatten(1).all(1).float().mean()
        assert 0.17 < share < 0.33


def test_a_turn_of_oblong_images_is_an_error():
    with pytest.raises(UserError, match=r"turn takes square images alone, but these are 9 x 10 pixels"):
        build({"turn": {}})(batch(width=10), draw(16))


def test_rotate_is_an_affine_change_of_degrees_alone():
    rotated, affine = ({name: {"degrees": 30}} for name in ("rotate", "affine"))
    assert torch.equal(build(rotated)(batch(), draw(16)), build(affine)(batch(), draw(16)))


def test_numbers_stay_the_same_where_positions_are_others():
    # What is drawn goes by the place in the batch; the place in the training set matters to alternate flips alone.
    elsewhere = dataclasses.replace(draw(16), positions=torch.arange(100, 116))
    change = {"affine": {"degrees": 20}}
    assert torch.equal(build(change)(batch(), elsewhere), build(change)(batch(), draw(16)))


def function(text, own):
    """Build the function `change` out of this text."""
    own("mine.py", text)
    return build({"function": {"name": "own.mine:change"}})


def test_a_function_that_works_in_place_does_not_touch_the_input(own):
    images = batch()
    run = function("def change(images, draw):\n    return images.zero_()\n", own)
    assert run(images, draw(16)).max() == 0
    assert torch.equal(images, batch())


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("images[:, :1]", r"change returned torch.float32 of shape \(16, 1, 9, 9\) on cpu, but must .*\(16, 3, 9, 9\)"),
        ("images.byte()", r"change returned torch.uint8 of shape"),
        ("None", r"change returned a NoneType, but must return images"),
    ],
)
def test_a_function_that_returns_something_else_is_one_sentence(own, returned, message):
    run = function(f"def change(images, draw):\n    return {returned}\n", own)
    with pytest.raises(UserError, match=message):
        run(batch(), draw(16))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def change(images):\n    return images", "own.mine:change failed: TypeError: change.. takes 1 positional"),
        (
            "def change(images, draw):\n    return 1 / 0",
            "failed in own/mine.py, line 2: ZeroDivisionError: division by",
        ),
        ("def change(images, draw):\n    return images @ images[:, :, 1:]", "in own/mine.py, line 2: RuntimeError: "),
    ],
)
def test_a_function_that_fails_is_one_sentence(own, text, message):
    with pytest.raises(UserError, match=message):
        function(text, own)(batch(), draw(16))


def test_a_memory_that_is_too_small_is_not_the_functions_fault(own):
    run = function("import torch\ndef change(images, draw):\n    raise torch.OutOfMemoryError('full')", own)
    with pytest.raises(torch.OutOfMemoryError):
        run(batch(), draw(16))


def test_the_part_that_is_seen_is_cut_out_last_and_by_the_batchs_own_numbers():
    grey = torch.full((3,), 7.0)
    shift = [Augmentation.model_validate({"shift": {"pixels": 2}})]
    augment = pipeline.build(shift, grey, grey, (5, 6))
    images = batch(64)
    whole_batch = augment(images, draw(64))
    assert whole_batch.shape == (64, 3, 5, 6)
    assert len({image.numpy().tobytes() for image in whole_batch}) > 20  # one image, many places
    assert torch.equal(augment(images, draw(64)), whole_batch)
    assert not torch.equal(augment(images, draw(64, seed=1)), whole_batch)
    chosen = torch.tensor([3, 40, 63])
    assert torch.equal(augment(images[chosen], part(64, chosen)), whole_batch[chosen])
    assert augment(images[:0], part(64, torch.tensor([], dtype=torch.int64))).shape == (0, 3, 5, 6)
