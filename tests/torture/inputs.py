"""The corpora of tests/hostile*.py, and good archives and pictures changed at random.

They run in a process of their own, which is given up where a trial takes too long, too much memory, or its life.
"""

import contextlib
import itertools
import multiprocessing
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

from stages import entry, extract, fetch
from tests import hostile, hostile_containers, hostile_media, hostile_tables, make
from tests.torture.table import Row

SECONDS = 60  # of one trial, also on a slow machine
MEGABYTES = 1024  # of one process, imported libraries included
PICTURES = 40  # changed pictures in one archive

# What a corpus holds, and by which share of the time its trials end.
CORPORA = {
    "hostile archives, names, folders and pictures": (hostile, 0.3),
    "hostile tables, lists and patterns": (hostile_tables, 0.55),
    "hostile tables and arrays of pictures": (hostile_containers, 0.65),
    "hostile 7z archives, DICOM, HEIC and AVIF": (hostile_media, 0.75),
}

ASKED = "told in one sentence or handled, earlier outputs kept, no partial files, below 1 GB of memory"


def rows(seconds, seed):
    begun = time.monotonic()
    numbers = ((seed, number) for number in itertools.count())
    with trials() as tried:
        for what, (corpus, share) in CORPORA.items():
            cases = ((what, name) for name in corpus.cases())
            yield _row(what, tried(trial_of_case, cases, begun + share * seconds))
        left = begun + seconds - time.monotonic()
        found = tried(_archive, numbers, time.monotonic() + 0.5 * left)
        yield _row("archives changed at random", found)
        found = tried(_pictures, numbers, begun + seconds)
        yield _row(f"archives of {PICTURES} pictures changed at random", found)


def _row(what, outcomes):
    failures = [f"{arguments}: {problem}" for arguments, problem in outcomes if problem]
    return Row(what, len(outcomes), len(outcomes) - len(failures), ASKED, tuple(failures))


@contextlib.contextmanager
def trials():
    """Gives a function that tries `trial(*arguments)` until a time, in another process, and lists what came of each."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared"
        prepared.mkdir()
        hostile.prepare(prepared)
        process = pipe = None

        def tried(trial, many, ends):
            nonlocal process, pipe
            outcomes = []
            for arguments in many:
                if time.monotonic() > ends:
                    break
                if process is None:
                    pipe, other = context.Pipe()
                    process = context.Process(target=_serve, args=(other, folder), daemon=True)
                    process.start()
                    other.close()
                pipe.send((trial, arguments))
                try:
                    problem = pipe.recv() if pipe.poll(SECONDS) else f"no end within {SECONDS} s"
                except EOFError:
                    problem = "the process died"
                if problem:  # a process that has used much memory keeps its highest mark
                    process.kill()
                    process.join()
                    process = None
                outcomes.append((arguments, problem))
            return outcomes

        try:
            yield tried
        finally:
            if process:
                pipe.close()
                process.join()


def _serve(pipe, folder):
    with contextlib.suppress(EOFError):
        while True:
            trial, arguments = pipe.recv()
            pipe.send(_attempt(trial, arguments, folder))


def _attempt(trial, arguments, folder):
    """Run a trial in a fresh copy of the prepared project; returns what did not hold."""
    place = Path(folder) / "trial"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(Path(folder) / "prepared", place)
    with contextlib.chdir(place):
        try:
            trial(*arguments)
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}"[:500]
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{used} MB of memory" if used > MEGABYTES else ""


def trial_of_case(corpus, name):
    hostile.check(name, CORPORA[corpus][0].cases()[name])


def _archive(seed, number):
    """A good archive of some form, wrong in some places."""
    draw = random.Random(f"archive {seed} {number}")
    files = hostile.GOOD
    inner = {path.removeprefix("train/"): content for path, content in files.items()}
    data = draw.choice(
        [
            lambda: make.zip_of(files),
            lambda: make.tar_of(files),
            lambda: make.tar_of(files, draw.choice(["gz", "bz2", "xz"])),
            lambda: make.zip_of({"train.zip": make.zip_of(inner)}),
            lambda: make.tar_of({"train.tar": make.tar_of(inner, draw.choice(["", "gz", "xz"]))}),
            hostile.zip64,
        ]
    )()
    hostile.ARCHIVE.write_bytes(changed(data, draw))
    for stage in (entry, fetch, extract):
        if hostile.run(stage):
            return


def _pictures(seed, number):
    """Good pictures of all kinds, wrong in some places: each is an image or a rejected file."""
    draw = random.Random(f"pictures {seed} {number}")
    good = list(hostile.good_pictures())
    files = dict(hostile.GOOD)
    for n in range(PICTURES):
        name, content = draw.choice(good)
        files[f"train/cat/{n} {name}"] = changed(content, draw)
    hostile.Project(Path()).set(extract__max_rejected=1)
    hostile.ARCHIVE.write_bytes(make.zip_of(files))
    for stage in (entry, fetch, extract):
        sentence = hostile.run(stage)
        assert not sentence, sentence
    images, rejected = hostile.counts()
    assert images + rejected == len(files), f"{images} images and {rejected} rejected of {len(files)} files"


def changed(data, draw):
    """Bytes with one to four changes: bits turned, a piece cut out, doubled, overwritten or moved, the end cut off."""
    data = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        length = min(draw.choice([1, 2, 4, 8, 64, 512]), len(data) - at)
        other = draw.randrange(len(data) + 1)
        match draw.randrange(7):
            case 0 if length:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = draw.randbytes(draw.choice([1, 2, 4, 16, 300]))
            case 3:
                data[at : at + length] = data[other : other + length]
            case 4:
                data[at:at] = data[other : other + length]
            case 5:
                data[at : at + length] = draw.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * length
            case 6:
                del data[at if draw.random() < 0.3 else len(data) :]
    return bytes(data)
