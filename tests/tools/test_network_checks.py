import math

import pytest
import torch
from torch import nn

from darkroom.tools import network_checks
from tests.tools.small_training import CLASSES, Of, batch, copied, net, unchanged

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_logit_for_each_image_and_class():
    images, _ = batch()
    assert network_checks.outputs(net(), images, CLASSES).passed
    assert "24x3 for 24 images, but must be 24x4" in network_checks.outputs(net(), images, CLASSES + 1).text
    assert network_checks.outputs(net(head=Of(lambda x: x.flatten().view(-1, 3))), images, CLASSES).passed is False
    assert network_checks.outputs(net(Of(lambda x: x / 0)), images, CLASSES).passed is False


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: x - x.mean(0),
        lambda x: x + 0.01 * x.roll(1, 0),
        lambda x: x.cumsum(0),
        lambda x: x.flip(0).cumsum(0),
        lambda x: x / x.norm(),
        lambda x: nn.functional.batch_norm(x, None, None, training=True),
    ],
)
def test_a_network_that_mixes_the_images_of_a_batch_fails(mixing):
    images, _ = batch()
    assert network_checks.independence(net(Of(mixing)), images).passed is False


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(16), nn.Dropout(0.5), nn.GroupNorm(4, 16), nn.Identity()])
def test_a_network_that_does_not_passes_and_stays_as_it_was(layer):
    images, _ = batch()
    network = net(layer)
    before = copied(network)
    assert network_checks.independence(network, images).passed
    assert unchanged(network, before)
    assert network.training


def test_the_first_loss_is_near_that_of_equal_chances_for_weights_of_the_right_scale():
    network = net(nn.BatchNorm2d(16))
    before = copied(network)
    loss, accuracy = network_checks.measure(network, [batch(), batch(seed=1)])
    assert network_checks.first_loss(loss, accuracy, CLASSES, 1 / 3).passed
    assert unchanged(network, before)


def test_a_head_with_huge_weights_fails():
    network = net()
    with torch.no_grad():
        network.head.weight.mul_(300)
    loss, accuracy = network_checks.measure(network, [batch()])
    check = network_checks.first_loss(loss, accuracy, CLASSES, 1 / 3)
    assert check.passed is False
    assert "badly scaled" in check.text


def test_the_first_loss_is_a_mean_over_images_not_batches():
    images, labels = batch(24)
    whole = network_checks.measure(net(), [(images, labels)])
    pieces = network_checks.measure(net(), [(images[:5], labels[:5]), (images[5:], labels[5:])])
    assert pieces == pytest.approx(whole)


@pytest.mark.parametrize(
    ("loss", "accuracy", "passed"),
    [
        (math.log(10), 0.1, True),
        (math.log(10) + 1.4, 0.0, True),
        (math.log(10) + 1.6, 0.1, None),
        (math.log(10) + 3.1, 0.1, False),
        (math.nan, 0.1, False),
        (0.1, 0.99, None),
        (2.0, 0.3, True),
    ],
)
def test_how_the_first_loss_is_judged(loss, accuracy, passed):
    assert network_checks.first_loss(loss, accuracy, 10, 0.2).passed is passed


def test_a_gradient_reaches_every_parameter_of_a_sound_network():
    network = net(nn.BatchNorm2d(16), nn.Dropout(0.1))
    before = copied(network)
    check = network_checks.gradients(network, [batch(), batch(seed=1)])
    assert check.passed
    assert "all 6 parameter tensors" in check.text
    assert unchanged(network, before)
    assert all(one.grad is None for one in network.parameters())


def test_layers_cut_off_from_the_loss_are_named():
    check = network_checks.gradients(net(Of(torch.Tensor.detach)), [batch()])
    assert check.passed is False
    assert "none reaches features.0.weight, features.0.bias" in check.text
    assert "head" not in check.text


def test_a_layer_that_is_left_out_is_named():
    head = nn.Linear(48, CLASSES)
    head.unused = nn.Linear(2, 2)
    check = network_checks.gradients(net(head=head), [batch()])
    assert "none reaches head.unused.weight, head.unused.bias, cut off" in check.text


def test_a_network_cut_off_as_a_whole_fails():
    check = network_checks.gradients(nn.Sequential(net(), Of(torch.Tensor.detach)), [batch()])
    assert "none reaches 0.features.0.weight" in check.text
    assert "there is no trainable parameter" in network_checks.gradients(net().requires_grad_(False), [batch()]).text


def test_dead_units_are_named():
    network = net()
    with torch.no_grad():
        network.features[0].bias.fill_(-100)
    check = network_checks.gradients(network, [batch()])
    assert check.passed is False
    assert "that of features.0.weight, features.0.bias, head.weight is zero" in check.text


def test_a_layer_most_of_whose_units_are_dead_is_noted():
    network = net()
    with torch.no_grad():
        network.features[0].bias[:10].fill_(-100)
    check = network_checks.gradients(network, [batch()])
    assert check.passed is None
    assert "features.0.weight" in check.text


def test_a_gradient_that_is_no_number_is_named():
    network = net(Of(lambda x: (x * 0).sqrt() + x))
    check = network_checks.gradients(network, [batch()])
    assert check.passed is False
    assert "features.0.weight, features.0.bias is not finite" in check.text
