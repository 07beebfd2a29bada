import pytest

from darkroom.config.own_names import function_name, network_name


@pytest.mark.parametrize("name", ["own.mine:change", "own:change", "own.deep.er:change_2"])
def test_a_function_in_own_is_a_name_for_both(name):
    assert function_name(name) == network_name(name) == name


@pytest.mark.parametrize("check", [function_name, network_name])
def test_a_function_elsewhere_is_told_where_to_go(check):
    with pytest.raises(ValueError, match=r"^a.mine:change lies outside the folder own/.*, and write own.mine:change$"):
        check("a.mine:change")


@pytest.mark.parametrize("name", ["", "own", "own.mine", "own.mine:", "own/mine.py:change", "own.mine:a.b", "Own:x y"])
def test_other_text_is_no_function(name):
    with pytest.raises(ValueError, match=r"own.module:function"):
        function_name(name)


def test_a_word_is_a_network_that_may_come_along():
    assert network_name("resnet18") == "resnet18"
    with pytest.raises(ValueError, match=r"torchvision, timm/NAME, or own\.module:function"):
        network_name("ResNet 18")
    assert network_name("timm/vit_tiny_patch16_224.augreg_in21k") == "timm/vit_tiny_patch16_224.augreg_in21k"
    for name in ("timm/", "timm/a/b", "timm/a.b.c", "timm/../x"):
        with pytest.raises(ValueError, match="timm/NAME"):
            network_name(name)
