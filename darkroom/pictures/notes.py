"""What the owner of a picture file hears about it: why it cannot be used, or what was noticed while it was decoded."""

from typing import NamedTuple


class BadImage(Exception):
    """The file is not a usable picture; the message says why."""


class Notes(NamedTuple):
    """What is unusual about one picture file; the default says that nothing is."""

    bits: int = 8  # of a stored value: 8 (also for fewer), 16, or 0 for plain numbers, which have none of their own
    highest: int = 0  # the highest value of a picture with 16 bits or none, before it becomes 8; 0 for others
    clear: bool = False  # its alpha is 0 everywhere, so that its colours were taken as they stand
    profile: str = ""  # the name of the colour profile from which it was converted to sRGB
    damaged_profile: bool = False  # its colour profile cannot be used, and was ignored


NOTHING = Notes()
