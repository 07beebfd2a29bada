"""Colour profiles (ICC.1:2001-04), written byte by byte."""

import struct

import numpy as np

# The colours of the primaries, as XYZ under the light D50: a row each for red, green, blue.
SRGB = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
D50 = (0.9642, 1.0, 0.8249)


def srgb_light(values):
    """The light, 0 to 1, of values of sRGB, 0 to 1 (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def rgb_profile(name, primaries, light, white=D50):
    """A profile of three primaries and one curve; `light` gives the light of values of 0 to 1."""
    curve = np.rint(65535 * light(np.linspace(0, 1, 1024))).astype(">u2")
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, primaries), strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv" + struct.pack(">LL", 0, 1024) + curve.tobytes())
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags | {b"wtpt": _xyz(white), b"desc": _text(name)})


def cmyk_profile(name):
    """A profile of a press whose inks, however mixed, make grey; black ink alone, the darkest, has an L* of 10."""
    ink = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    lightness = np.clip(255 - 60 * ink[:, :3].sum(axis=1) - 230 * ink[:, 3], 25, 255)
    to_lab = np.stack([lightness, np.full(16, 128), np.full(16, 128)], axis=-1)
    to_ink = np.zeros((8, 4))
    to_ink[:4, 3] = 255  # black ink where the lightness, which changes slowest, is 0
    tags = dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), _table(4, 3, to_lab))
    tags |= dict.fromkeys((b"B2A0", b"B2A1", b"B2A2"), _table(3, 4, to_ink))
    return _profile(b"prtr", b"CMYK", b"Lab ", tags | {b"wtpt": _xyz(D50), b"desc": _text(name)})


def _table(inputs, outputs, corners):
    """A lookup between the corners of a cube."""
    straight = bytes(range(256))
    unit = struct.pack(">9l", *(65536 if place in (0, 4, 8) else 0 for place in range(9)))
    head = b"mft1\0\0\0\0" + bytes([inputs, outputs, 2, 0]) + unit
    return head + straight * inputs + corners.astype(np.uint8).tobytes() + straight * outputs


def _profile(kind, space, connection, tags):
    body, entries = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        entries += tag + struct.pack(">LL", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">L4xL4s4s4s", start + len(body), 0x02400000, kind, space, connection)
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _numbers(D50)
    return head + bytes(128 - len(head)) + struct.pack(">L", len(tags)) + entries + body


def _numbers(values):
    return struct.pack(">3l", *(round(65536 * value) for value in values))


def _xyz(values):
    return b"XYZ \0\0\0\0" + _numbers(values)


def _text(text):
    return b"desc\0\0\0\0" + struct.pack(">L", len(text) + 1) + text.encode("ascii") + bytes(1 + 8 + 70)
