"""The form of names for a user's own functions: `own.module:function`, in the folder `own/`."""

import re

FORM = re.compile(r"own(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
ELSEWHERE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
KNOWN = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)  # cnn, mlp, and networks of torchvision
TIMMS = re.compile(r"timm/[a-z0-9_]+(\.[A-Za-z0-9_]+)?", re.ASCII)  # networks of timm, with or without a tag


def function_name(name: str) -> str:
    """Return the name of a user's augmentation unchanged. Raises ValueError if it names no function in own/."""
    if not FORM.fullmatch(name):
        _refuse_elsewhere(name)
        raise ValueError("Input should be text of the form own.module:function")
    return name


def network_name(name: str) -> str:
    """Return the name of a network unchanged. Raises ValueError if it is neither a word nor a function in own/."""
    if not any(form.fullmatch(name) for form in (FORM, KNOWN, TIMMS)):
        _refuse_elsewhere(name)
        raise ValueError(
            "Input should be cnn, mlp, a classification model of torchvision, timm/NAME, or own.module:function"
        )
    return name


def _refuse_elsewhere(name: str) -> None:
    if ELSEWHERE.fullmatch(name):
        last = name.rpartition(".")[2]
        raise ValueError(
            f"{name} lies outside the folder own/, so that a change to it would make no stage run again: move its file "
            f"into own/, and write own.{last}"
        )
