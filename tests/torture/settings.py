"""params.yaml and datasets.yaml with any value in any place, and as any text; what is accepted goes through the stages.

Each file is accepted with sound settings or told in one sentence that names it; of what is accepted, the stages that
read data make outputs or one sentence.
"""

import contextlib
import copy
import math
import shutil
import tempfile
import time
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from darkroom.base.paths import DATASETS, PARAMS
from darkroom.config import params
from darkroom.config.yaml_files import dump, read_yaml
from stages import baseline, entry, extract, fetch, split, stats
from tests import hostile, make
from tests.conftest import ROOT
from tests.torture.table import Row

EXTREME = [
    0, 1, -1, 2, 10, 2**31, 2**32 - 1, 2**32, 2**63, 10**400, -(10**400), 0.0, -0.0, 5e-324, 1e-300, 1e-9, 0.5, 0.999,
    1 - 1e-16, 1.0, 1e308, math.inf, -math.inf, math.nan,
    "auto", "", "~", ".", "..", "/", "null", "-1", "1e-05", "1e999", ".nan", "cuda:99", "99999P-1", "train", "\0", "*",
]  # fmt: skip
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(EXTREME),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
ANY = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3), max_leaves=5
)
ENTRY_KEYS = (
    "title", "license", "bundled", "kaggle", "url", "path", "sha256", "train", "test", "unlabeled", "channels",
    "image_size", "classes", "submission", "recipe",
)  # fmt: skip


def rows(seconds, seed):
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared"
        prepared.mkdir()
        hostile.prepare(prepared)
        good = {path: (prepared / path).read_text(encoding="utf-8") for path in (PARAMS, DATASETS)}
        content = read_yaml(prepared / PARAMS)
        entry = {"mine": read_yaml(prepared / DATASETS)["mine"]}
        parts = [
            ("params.yaml, any value in any place", PARAMS, with_any(content, list(leaves(content))), read),
            ("datasets.yaml, any value in any place", DATASETS, with_any(entry, places(entry)), read),
            ("params.yaml, changed as text", PARAMS, as_text(good[PARAMS]), read),
            ("datasets.yaml, changed as text", DATASETS, as_text(dump(entry)), read),
            ("settings within their ranges, through the stages", PARAMS, within(content), run),
            ("entries within their ranges, through the stages", DATASETS, sound_entries(entry), run),
        ]
        trial = Path(folder) / "trial"
        begun = time.monotonic()
        for number, (what, path, texts, what_is_done) in enumerate(parts, start=1):

            def attempt(text, path=path, what_is_done=what_is_done):
                shutil.rmtree(trial, ignore_errors=True)
                shutil.copytree(prepared, trial)
                with contextlib.chdir(trial):
                    path.write_text(text, encoding="utf-8")
                    what_is_done(path)

            yield search(what, texts, attempt, seed, begun + (ends - begun) * number / len(parts))


def search(what, texts, attempt, seed, ends):
    """Try drawn texts until a time, or until one does not hold; hypothesis then looks for a simpler one like it."""
    tried, failure = 0, ""

    def one(text):
        nonlocal tried, failure
        if time.monotonic() < ends:
            tried += not failure
            try:
                attempt(text)
            except Exception as problem:
                failure = f"{type(problem).__name__}: {problem} after {_odd(text)}"[:1000]
                raise

    while time.monotonic() < ends and not failure:
        settings = hypothesis.settings(
            database=None, deadline=None, max_examples=20, suppress_health_check=list(hypothesis.HealthCheck)
        )
        try:
            hypothesis.seed(seed)(settings(hypothesis.given(texts)(one)))()
        except Exception:
            if not failure:
                raise
        seed += 1
    asked = "sound settings, or one sentence that names the file"
    return Row(what, tried, tried - bool(failure), asked, (failure,) if failure else ())


def _odd(text):
    """The lines of a file that the files in the repository do not have."""
    known = {line.split("#")[0].strip() for name in (PARAMS, DATASETS) for line in (ROOT / name).open(encoding="utf-8")}
    return [line for line in text.splitlines() if line.strip() not in known]


# What is written into the files


def leaves(content, before=()):
    """The places of all keys, sections included."""
    for key, value in content.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from leaves(value, (*before, key))


def places(entry):
    return [(name, key) for name in entry for key in ENTRY_KEYS] + [(name,) for name in entry]


@st.composite
def with_any(draw, content, where):
    """The file with up to three keys changed, removed, or given under a wrong name."""
    content = copy.deepcopy(content)
    for place in draw(st.lists(st.sampled_from(where), min_size=1, max_size=3)):
        holder = content
        for key in place[:-1]:
            holder = holder.get(key)
            if not isinstance(holder, dict):
                break
        else:
            match draw(st.integers(0, 9)):
                case 0:
                    holder.pop(place[-1], None)
                case 1:
                    holder[draw(PLAIN)] = draw(ANY)
                case _:
                    holder[place[-1]] = draw(ANY)
    return dump(content)


@st.composite
def as_text(draw, text):
    """The file with pieces of text put in, doubled or taken out: what editors and merges leave."""
    pieces = st.sampled_from(
        ["\t", "\n", ":", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!int ", "!!python/name:os.system ", "<<: *a\n",
         "<<<<<<< HEAD\n", "? ", "|", ">", "%", "@", "`", "'", '"', "#", "---\n", "...\n", "\u00a0", "\u2028", "\ufeff",
         "\U0001f600", '"\\ud800"', "\x07", "9" * 5000, "[" * 200]
    )  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 2)):
            case 0:
                text = text[:at] + draw(pieces) + text[at:]
            case 1:
                text = text[:at] + text[at + draw(st.integers(1, 40)) :]
            case 2:
                text = text[:at] + text[max(0, at - draw(st.integers(1, 80))) :]
    return text


SHARES = st.floats(0, 1) | st.sampled_from([5e-324, 1e-300, 1e-9, 0.2, 0.25, 0.5, 1 - 1e-16])
COUNTS = st.integers(1, 400) | st.sampled_from([2**31, 2**63, 10**400])
DATA = {
    "extract.max_rejected": SHARES,
    "extract.max_members": COUNTS,
    "extract.max_bytes": COUNTS | st.integers(1, 10**5),
    "extract.max_pixels": COUNTS,
    "extract.threads": st.integers(0, 256),
    "split.seed": st.integers(0, 2**32 - 1),
    "split.test": SHARES,
    "split.val": SHARES,
    "split.use_given_test": st.sampled_from([True, False, "auto"]),
    "split.use_given_val": st.sampled_from([True, False, "auto"]),
    "split.near_duplicates": st.sampled_from(["ignore", "together"]),
    "split.stable": st.booleans(),
    "baseline.max_train": COUNTS.map(lambda count: count + 9),
    "baseline.seed": st.integers(0, 2**32 - 1),
}


@st.composite
def within(draw, content):
    """Settings of the stages that read data, in and at the end of their ranges."""
    content = copy.deepcopy(content)
    for key in draw(st.lists(st.sampled_from(list(DATA)), min_size=1, max_size=4, unique=True)):
        section, last = key.split(".")
        content[section][last] = draw(DATA[key])
    return dump(content)


@st.composite
def sound_entries(draw, entry):
    """Catalogue entries whose shape and folders are within their ranges, if not those of the archive."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    folders = st.sampled_from(["train", "train/cat", "*", ".", "/", "tr*", "[", "**/*", "no", "../train"]) | text
    side = st.integers(1, 40) | st.sampled_from([1, 1000])
    changes = {
        "title": text,
        "license": text,
        "train": folders,
        "test": st.none() | folders,
        "unlabeled": st.none() | folders,
        "channels": st.sampled_from([1, 3]),
        "image_size": side | st.lists(side, min_size=2, max_size=2),
        "classes": st.dictionaries(st.sampled_from(["cat", "dog", "cow"]), text, max_size=2),
    }
    keys = draw(st.lists(st.sampled_from(list(changes)), min_size=1, max_size=4, unique=True))
    return dump({"mine": entry["mine"] | {key: draw(changes[key]) for key in keys}})


# What must come of it


def read(path):
    """Read the two files: sound settings, or a sentence about the one that was changed."""
    found = []
    sentence = make.refusal(lambda: found.append(params.load()))
    if sentence is not None:
        assert sentence.isprintable(), f"not one line: {sentence!r}"
        # An unknown data set is a mistake of params.yaml, wherever its entry went.
        assert str(path) in sentence or str(PARAMS) in sentence, f"it does not name {path}: {sentence}"
        return
    settings, _ = found[0]
    for key, value in params.flatten(settings).items():
        numbers = value if isinstance(value, list) else [value]
        assert all(math.isfinite(one) for one in numbers if isinstance(one, float)), f"{key} is {value}"


def run(path):
    """Run the stages that read data, up to the first that refuses."""
    for stage in (entry, fetch, extract, split, stats, baseline):
        if hostile.run(stage):
            return
