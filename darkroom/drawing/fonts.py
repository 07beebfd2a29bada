"""Letters of every script in pictures: fonts for those that Matplotlib's own lacks.

The fonts come from packages of the lock alone, and carry names of their own, so that no font of the system can stand
in for one of them: a picture has the same bytes everywhere.
"""

import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

OWN = "DejaVu Sans"  # Matplotlib's own font, which has Latin, Greek, Cyrillic, Arabic and many signs
# Packages with fonts, first the smaller ones: scripts of one region each, then Chinese, Japanese and Korean.
PACKAGES = ("manimgx_fonts", "noto_cjk_sans_jp_regular")


def fit(figure: Figure) -> None:
    """Give each text of the figure the fonts that its letters need. Warns of letters that no font has."""
    boxes: set[str] = set()
    for text in figure.findobj(Text):
        lacking = _lacking(text.get_text())
        if lacking:
            found = families(lacking)
            text.set_fontfamily([OWN, *dict.fromkeys(found.values())])
            boxes |= lacking - found.keys()
    if boxes:
        shown = " ".join(sorted(boxes)[:10])
        print(
            f"warning: no font for {len(boxes)} letters of the names in a picture, which stand there as boxes: {shown}",
            file=sys.stderr,
        )


def cut(text: str, inches: float, points: float) -> str:
    """The text, cut with an ellipsis where it is wider than so many inches at this size in points."""
    if width(text, points) <= inches:
        return text
    while text and width(text + "…", points) > inches:
        text = text[:-1]
    return text.rstrip() + "…"


def width(text: str, points: float) -> float:
    """About how many inches the text takes on a line, letter by letter: those of some scripts take less, joined."""
    return sum(map(_ems, text)) * points / 72


@cache
def _ems(letter: str) -> float:
    file = font_manager.findfont(OWN)
    if ord(letter) not in _letters(file):
        family = families({letter}).get(letter)
        if family is None:
            return 1.0
        file = font_manager.findfont(family)
    font = FT2Font(file)
    font.set_size(1000, 72)  # an em has 1,000 pixels
    return font.load_char(ord(letter)).linearHoriAdvance / 65536 / 1000


def families(letters: set[str]) -> dict[str, str]:
    """By letter, the name of the first font that has it; a letter that none has is left out."""
    found = {letter: name for name, has in reversed(_fonts()) for letter in letters if ord(letter) in has}
    return {letter: found[letter] for letter in sorted(found)}


def _lacking(text: str) -> set[str]:
    own = _letters(font_manager.findfont(OWN))
    return {letter for letter in set(text) if ord(letter) not in own and letter.isprintable()}


@cache
def _fonts() -> list[tuple[str, frozenset[int]]]:
    """The names of the packages' fonts, each with the letters it has."""
    found = []
    for package in PACKAGES:
        spec = find_spec(package)
        folders = [] if spec is None else spec.submodule_search_locations or []
        files = [file for folder in folders for file in sorted(Path(folder).glob("*.[ot]tf"))]
        for file in (file for file in files if "Italic" not in file.name):
            name = f"Darkroom {re.sub('[^A-Za-z]', ' ', file.stem)}"  # Matplotlib reads other signs as a pattern
            font_manager.fontManager.ttflist.append(font_manager.FontEntry(fname=str(file), name=name, weight=400))
            found.append((name, _letters(str(file))))
    return found


@cache
def _letters(file: str) -> frozenset[int]:
    return frozenset(FT2Font(file).get_charmap())
