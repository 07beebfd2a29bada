"""The front page, typed as it stands: its commands, in its order, in a fresh clone; and what they print."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import make
from tests.repository import ROOT, surroundings

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
BLOCKS = [block for language, block in FENCED if not language]
TOOLS = ("git ", "make ", "dvc ", "darkroom ", "python ")


def commands_of(block):
    """The commands of a block, without their comments; none where it shows what was printed."""
    shown = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    typed = shown or [line for line in block.splitlines() if line.startswith(TOOLS)]
    return [re.sub(r"\s{2,}#.*", "", command) for command in typed]


COMMANDS = [command for block in BLOCKS for command in commands_of(block)]


def test_the_page_is_short():
    assert len(PAGE.splitlines()) < 150


def test_pages_and_pictures_that_it_names_are_there():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), (page.name, link)


def test_every_page_is_in_the_list_of_pages():
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"({page.name})" not in listed]
    assert missing == ["README.md"]


def test_its_first_lines_are_those_of_a_newcomer():
    assert [command.split()[0] for command in COMMANDS[:4]] == ["git", "make", "darkroom", "dvc"]


@pytest.mark.slow
def test_its_commands_run_in_their_order(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "flowers.zip").write_bytes(flowers())
    shell = Shell(home)
    printed = {}
    for command in COMMANDS:
        if command.startswith("git clone"):
            shell.clone()
        else:
            shell.prepare(command)
            printed[command] = shell.type(command)
    # What `make repro` ends with is what the page says.
    said = next(block for block in BLOCKS if block.startswith("digits: 100"))
    assert next(text for command, text in printed.items() if command.startswith("make repro")).endswith(said)
    compared = next(text for command, text in printed.items() if command.endswith("compare"))
    shown = next(block for block in BLOCKS if "against 1, val" in block)
    assert [line[:60] for line in shown.splitlines()[:2]] == [line[:60] for line in compared.splitlines()[:2]]


class Shell:
    """A user's shell with a home of its own, in the clone once that is there."""

    def __init__(self, home):
        self.home, self.clone_folder = home, home / "darkroom"

    def clone(self):
        """Clone this repository; it uses the packages that are installed here."""
        subprocess.run(["git", "clone", "-q", ROOT, self.clone_folder], check=True)
        environment = Path(sys.executable).parent.parent
        (self.clone_folder / ".venv").symlink_to(environment)

    def prepare(self, command):
        """Make what the page takes for granted."""
        if "compare" in command:
            self.wait_for_the_queue()
        if "my.png" in command:
            for name in ("my.png", "other.png"):
                (self.clone_folder / name).write_bytes(make.picture(seed=len(name)))

    def wait_for_the_queue(self):
        """Wait until no experiment is queued or at work."""
        while any(word in self.type("dvc queue status") for word in ("Queued", "Running")):
            time.sleep(5)

    def type(self, command):
        """Run one line, and return what it printed."""
        kept = {"HOME": str(self.home), "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
        kept |= {"GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
        line = f". .venv/bin/activate; {command}"
        answer = subprocess.run(
            ["bash", "-c", line], cwd=self.clone_folder, env=surroundings(**kept), capture_output=True, text=True
        )
        assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"
        return answer.stdout


def flowers():
    """A zip with two folders of colour pictures."""
    files = {}
    for label, level in (("rose", 40), ("daisy", 150)):
        for number in range(40):
            image = make.pixels(48, 48, 3, seed=number + level) // 3 + np.uint8(level)
            files[f"flowers/{label}/{number:02}.jpg"] = make.encode(image, "JPEG")
    return make.zip_of(files)
