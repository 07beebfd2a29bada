"""Labels and groups in the names of files: which part of a name repeats as a class does, or as a patient does."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import regex

from darkroom.config.patterns import Pattern
from darkroom.tools.subset_folders import subset_in

SEPARATOR = re.compile(r"[_\-. ()\[\]#@+=,]+")
LAST = frozenset("_-. ")  # signs with which no class ends
MOST_CLASSES = 2000
PER_CLASS = 3  # pictures of a class, on average
FEW = 300  # names on which a form is tried first
COMMON = 0.98  # of the names have the form


@dataclass(frozen=True)
class NameForm:
    """A form of names, as the last part of a pattern, and the values it gives to a sample of names."""

    form: str  # {label}_*.jpg
    values: tuple[str | None, ...]

    @property
    def counts(self) -> Counter[str]:
        return Counter(value for value in self.values if value is not None)


def label_forms(names: Sequence[str], known: Collection[str] | None = None) -> list[NameForm]:
    """The forms in which a part of the names may be a class; the same classes are given once, by the first form.

    Where classes are `known`, only forms that give these, of however few pictures.
    """
    ending = _ending(names)
    forms = [
        f"{{label}}_{{x:\\d+}}{ending}", f"{{label}}-{{x:\\d+}}{ending}", f"{{label}} {{x:\\d+}}{ending}",
        f"{{label}}.{{x:\\d+}}{ending}", f"{{label}} ({{x:\\d+}}){ending}", f"{{label}}({{x:\\d+}}){ending}",
        f"{{label:\\D*[^\\d _.-]}}{{x:\\d+}}{ending}",
        f"{{x:\\d+}}_{{label}}{ending}", f"{{x:\\d+}}-{{label}}{ending}", f"{{x:\\d+}} {{label}}{ending}",
        f"{{x:\\d+}}.{{label}}{ending}",
    ]  # fmt: skip
    forms += _by_places(names, ending)
    found: list[NameForm] = []
    few = names[:: max(1, len(names) // FEW)]
    for form in forms:
        first = apply(form, few)
        if None in first.values and first.counts.total() < (COMMON - 0.05) * len(few):
            continue
        if known is not None and not {*first.values} <= {*known}:
            continue
        one = apply(form, names)
        if all(name[-1] in LAST for name in one.counts):
            continue  # obj1__0: another form takes less
        fits = (_may_be_classes(one) and not _are_views(one, names)) if known is None else {*one.values} <= {*known}
        if fits and not any(_same(one.values, other.values) for other in found):
            found.append(one)
    return [_short(one, names) for one in found]


def _by_places(names: Sequence[str], ending: str) -> list[str]:
    """Forms that name one of the parts between separators, where all names have as many."""
    shapes = Counter(tuple(SEPARATOR.findall(_stem(name))) for name in names)
    if not shapes:
        return []
    between, count = shapes.most_common(1)[0]
    if count < COMMON * len(names) or len(between) > 8 or not between:
        return []
    forms = []
    for place in range(len(between) + 1):
        parts = [("{label:[^_. -]+}" if at == place else f"{{x{at}:[^_. -]+}}") for at in range(len(between) + 1)]
        text = parts[0] + "".join(separator + part for separator, part in zip(between, parts[1:], strict=True))
        forms.append(text + ending)
    return forms


def apply(form: str, names: Sequence[str]) -> NameForm:
    """What a form makes of names."""
    pattern = Pattern(form)
    found = (pattern.match(name) for name in names)
    return NameForm(form, tuple(parts.get("label") or parts.get("group") if parts else None for parts in found))


def _short(one: NameForm, names: Sequence[str]) -> NameForm:
    """The same with `*` for parts that need no form, where that gives the same values."""
    shorter = regex.sub(r"\{x\d*:(?:[^{}]|\{\d+\})*\}", "*", one.form)
    shorter = shorter.replace("{label:[^_. -]+}", "{label}")
    for text in (shorter, regex.sub(r"\{x\d*:(?:[^{}]|\{\d+\})*\}", "*", one.form)):
        short = apply(text, names)
        if short.values == one.values:
            return short
    return one


def _may_be_classes(one: NameForm) -> bool:
    counts = one.counts
    if counts.total() < COMMON * len(one.values) or not 2 <= len(counts) <= MOST_CLASSES:
        return False
    if counts.total() < PER_CLASS * len(counts):
        return False
    subsets = [subset_in(name) for name in counts]
    return not all(subset is not None and not rest for subset, rest in subsets)


def _are_views(one: NameForm, names: Sequence[str]) -> bool:
    """Whether each thing has a picture of every value, as of four colours: names that differ in the value alone."""
    views: defaultdict[str, set[str]] = defaultdict(set)
    for name, value in zip(names, one.values, strict=True):
        if value is not None:
            views[name.replace(value, "", 1)].add(value)
    several = [rest for rest, values in views.items() if len(values) > 1]
    numbered = all(re.sub(r"[\W_]+", "", posixpath.splitext(rest)[0]).isdigit() for rest in several)
    return len(several) >= 0.8 * len(views) and not numbered


def group_forms(names_by_label: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Forms whose {group} repeats within the classes as patients do, and examples; none where none does plausibly."""
    bare = {re.sub(r"[\W_]+", "", label.lower()) for label in names_by_label}
    forms: dict[str, list[str]] = {}
    grouped = 0
    for every in names_by_label.values():
        names = sorted(every)[:FEW]  # neighbours, for those of one group stand together
        found = next((one for one in (apply(form, names) for form in _group_forms(names)) if _groups(one, bare)), None)
        if found:
            grouped += found.counts.total()
            forms.setdefault(found.form, [name for name, _ in found.counts.most_common(2)])
    if 2 * grouped < sum(min(FEW, len(names)) for names in names_by_label.values()) or len(forms) > 4:
        return [], []
    return list(forms), [name for examples in forms.values() for name in examples]


def _group_forms(names: Sequence[str]) -> list[str]:
    """A prefix that ends at the first separator of its kind, or at the last."""
    ending = _ending(names)
    forms = []
    for separator, inside in (("_", "_"), ("-", "\\-"), (".", "."), (" ", " ")):
        forms += [f"{{group:[^{inside}/]+}}{separator}*{ending}", f"{{group}}{separator}*{ending}"]
    return forms


def _groups(one: NameForm, labels: set[str]) -> bool:
    """Whether values repeat, are many, hold digits as numbers of patients do, and are no classes."""
    counts = one.counts
    if counts.total() < COMMON * len(one.values) or len(counts) < 3:
        return False
    repeated = sum(count for count in counts.values() if count > 1)
    numbered = sum(any(letter.isdigit() for letter in name) for name in counts)
    known = sum(re.sub(r"[\W_]+", "", name.lower()) in labels for name in counts)
    many = max(counts.values()) <= max(4, 0.2 * counts.total()) and counts.total() >= 1.5 * len(counts)
    return many and repeated >= 0.5 * counts.total() and numbered >= 0.9 * len(counts) and not known


def _ending(names: Sequence[str]) -> str:
    endings = {posixpath.splitext(name)[1] for name in names}
    return endings.pop() if len(endings) == 1 else ".*"


def _same(one: Sequence[str | None], other: Sequence[str | None]) -> bool:
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]
