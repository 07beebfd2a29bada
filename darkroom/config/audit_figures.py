"""metrics/audit.json: what the audit found in the pictures."""

from darkroom.config.catalogue import Resize
from darkroom.config.stage_files import StageFile


class GroupCounts(StageFile):
    """The number of groups, and of images in them."""

    groups: int
    images: int


class NamedClass(StageFile):
    """A class and its number of labelled images."""

    name: str
    images: int


class SideRange(StageFile):
    """Smallest, median and largest width or height of the pictures, in pixels."""

    min: int
    median: int
    max: int


class AspectRange(StageFile):
    """Quantiles of width over height."""

    min: float
    p5: float
    median: float
    p95: float
    max: float


class Change(StageFile):
    """What `resize` does to a picture, in the median and at worst.

    squash: the factor by which it distorts proportions, 1 for none; crop: the share of the picture's area that it cuts
    off; pad: the share of the stored image that it leaves black.
    """

    median: float
    worst: float
    worst_path: str
    over_half: int  # pictures of which crop cuts off more than half, or pad leaves more than half black


class Shapes(StageFile):
    """The shapes of the pictures as found, and how they are brought to `stored`, width and height in pixels."""

    landscape: int
    portrait: int
    square: int  # sides that differ by 5 % at most
    aspect: AspectRange
    stored: tuple[int, int]
    as_stored: int  # pictures of this very size
    enlarged: int  # pictures that are too small for it
    resize: Resize
    change: Change


class AuditFigures(StageFile):
    """metrics/audit.json."""

    images: int
    labelled: int
    unlabelled: int
    rejected: dict[str, int]  # files by reason
    passed_over: dict[str, int]  # files by reason
    classes: int
    smallest_class: NamedClass
    largest_class: NamedClass
    duplicates: GroupCounts
    conflicts: GroupCounts
    blank: int
    width: SideRange
    height: SideRange
    shapes: Shapes
    channels: dict[str, int]
