"""How a camera was held: the orientation in the EXIF segment of a JPEG (CIPA DC-008, tag 0x0112).

OpenCV turns the pictures. What is read here says only how it turned them; a wrong answer moves a reduced picture by
less than a pixel.
"""

import struct
from contextlib import suppress

ORIENTATION = 0x0112
TURNED = frozenset({5, 6, 7, 8})  # rows and columns change places
# By orientation, for rows and columns of the upright picture: whether it begins where the stored one ends.
_MIRRORED = {
    2: (False, True),
    3: (True, True),
    4: (True, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def mirrored(orientation: int) -> tuple[bool, bool]:
    """Whether the rows and the columns of the upright picture run against those of the stored one."""
    return _MIRRORED.get(orientation, (False, False))


def orientation_of(data: bytes) -> int:
    """The orientation of a JPEG, 1 to 8; 1, upright, where it has none or the segment is damaged."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:  # the scan begins
        length = data[at + 2] << 8 | data[at + 3]
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            with suppress(struct.error):
                return _read(data[at + 10 : at + 2 + length])
        at += 1 if data[at + 1] == 0xFF else 2 + length
    return 1


def _read(tiff: bytes) -> int:
    """The tag in the first directory of a TIFF head; 1 without it. Raises struct.error where the head ends early."""
    order = "<" if tiff[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for number in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHLH", tiff, start + 2 + 12 * number)
        if tag == ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1
