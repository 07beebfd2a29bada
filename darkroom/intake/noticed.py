"""What was unusual about the files of an archive, counted, and put into warnings for their owner."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from darkroom.base.words import counted
from darkroom.pictures.notes import Notes

FULL = 2**16 - 1
DARK = 63  # of 255
SMALL_PART = 1 / 4  # of the values that 16 bits can hold


@dataclass
class Noticed:
    """Numbers of pictures, and of each kind the first one's path, as archives come."""

    deep: int = 0  # pictures of 16 bits
    highest: int = 0  # stored value among them
    plain: int = 0  # pictures of numbers without a depth of their own
    highest_plain: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, noted: Iterable[tuple[str, Notes]], warned: Iterable[tuple[str, str]]) -> None:
        """Count the pictures of which something is unusual, and those of which the decoder warns."""
        for path, notes in noted:
            if notes.bits == 16:
                self.deep += 1
                self.highest = max(self.highest, notes.highest)
            elif notes.bits == 0:
                self.plain += 1
                self.highest_plain = max(self.highest_plain, notes.highest)
            if notes.clear:
                self._count(path, "wholly transparent: the colours are taken as they stand")
            if notes.profile:
                self._count(path, f"converted to sRGB from the colour profile {notes.profile}")
            if notes.damaged_profile:
                self._count(path, "with a colour profile that cannot be used and is ignored")
        for path, message in warned:
            self._count(path, f"decoded with a warning ({message})")

    def _count(self, path: str, what: str) -> None:
        self.counts[what] += 1
        self.first[what] = min(path, self.first.get(what, path))

    def in_words(self, value_range: list[int] | None) -> Iterator[str]:
        """One sentence for each kind; `value_range` is the entry's."""
        if self.deep and value_range is None and 0 < self.highest <= FULL * SMALL_PART:
            bits = self.highest.bit_length()
            yield (
                f"the stored values of {counted(self.deep, 'picture')} with 16 bits reach {self.highest:,} of "
                f"{FULL:,}, so that they become dark: to spread them, write range: [0, {2**bits - 1}]"
            )
        if self.plain and value_range is None and 0 < self.highest_plain <= DARK:
            yield (
                f"the numbers of {counted(self.plain, 'picture')} in tables and arrays reach {self.highest_plain} of "
                f"255, so that they become dark: to spread them, write range: [0, {self.highest_plain}]"
            )
        for what, count in sorted(self.counts.items()):
            yield f"{counted(count, 'picture')} {what}, the first being {self.first[what]}"
