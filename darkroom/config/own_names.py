"""Names in the parameters of functions that a user wrote: `own.module:function`, in the folder `own/`."""

import re

FORM = re.compile(r"own(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
ELSEWHERE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
KNOWN = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)  # networks that come along


def function_name(name: str) -> str:
    """The name of an augmentation, as it is. Raises ValueError where it does not name a function in own/."""
    if not FORM.fullmatch(name):
        _refuse_elsewhere(name)
        raise ValueError("Input should be text of the form own.module:function")
    return name


def network_name(name: str) -> str:
    """The name of a network, as it is. Raises ValueError for one that is neither a word nor a function in own/."""
    if not FORM.fullmatch(name) and not KNOWN.fullmatch(name):
        _refuse_elsewhere(name)
        raise ValueError("Input should be cnn, mlp, a classification model of torchvision, or own.module:function")
    return name


def _refuse_elsewhere(name: str) -> None:
    if ELSEWHERE.fullmatch(name):
        last = name.rpartition(".")[2]
        raise ValueError(
            f"{name} lies outside the folder own/, so that a change to it would make no stage run again: move its file "
            f"into own/, and write own.{last}"
        )
