import pytest
import torch

from darkroom.augment import pipeline, views
from darkroom.augment.randomness import whole
from darkroom.config.augmentations import Augmentation

CPU = torch.device("cpu")
MIRROR, UPSIDE_DOWN, TURN = {"flip": {}}, {"flip": {"axis": "vertical", "probability": 0.3}}, {"turn": {}}
ALTERNATE = {"flip": {"alternate": True}}


def settings(*items):
    return [Augmentation.model_validate(item) for item in items]


def draw(count, epoch=1):
    return whole(torch.Generator().manual_seed(epoch), torch.arange(count), CPU, epoch=epoch)


def images(count=40, side=6):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, side, side, 3), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("items", [[], [MIRROR], [MIRROR, UPSIDE_DOWN], [TURN, MIRROR], [UPSIDE_DOWN, ALTERNATE]])
@pytest.mark.parametrize("epoch", [1, 2])
def test_the_views_are_what_the_pipeline_would_make(items, epoch):
    nothing = torch.zeros(3)
    changed = pipeline.build(settings(*items), nothing, nothing)(
        images().permute(0, 3, 1, 2).float(), draw(40, epoch)
    ).permute(0, 2, 3, 1)
    seen = views.of(settings(*items), True, None)
    numbers = seen.drawn(draw(40, epoch))
    for at, number in enumerate(numbers.tolist()):
        assert torch.equal(seen.of(images()[at : at + 1], number)[0].float(), changed[at])


@pytest.mark.parametrize(
    ("items", "part", "count"), [([], None, 1), ([MIRROR], None, 2), ([TURN, MIRROR], None, 8), ([MIRROR], (4, 4), 10)]
)
def test_all_views_are_drawn_and_differ(items, part, count):
    seen = views.of(settings(*items), True, part)
    assert seen.count == count
    assert set(seen.drawn(draw(500)).tolist()) == set(range(count))
    made = {tuple(seen.of(images(1), number).flatten().tolist()) for number in range(count)}
    assert len(made) == (count if count < 8 or part else 8)


def test_view_0_is_the_middle_as_it_is():
    seen = views.of(settings(MIRROR), True, (4, 4))
    assert torch.equal(seen.of(images(), 0), images()[:, 1:5, 1:5])
    corners = [seen.of(images(), number) for number in range(1, 5)]
    assert torch.equal(corners[0], images()[:, :4, :4])
    assert torch.equal(corners[3], images()[:, 2:, 2:])


@pytest.mark.parametrize("item", [{"rotate": {"degrees": 5}}, {"apply": {"changes": [MIRROR], "probability": 0.5}}])
def test_other_changes_have_no_views(item):
    assert views.of(settings(MIRROR, item), True, None) is None


def test_oblong_images_are_not_turned():
    assert views.of(settings(TURN), False, None) is None
