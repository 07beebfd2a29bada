"""The commands that make again what was recorded, and compare: verify for a commit, reproduce for a run."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darkroom.base.errors import UserError


def add_to(commands: Any) -> None:
    """Add both to the commands of the command line."""
    command = commands.add_parser("verify", help="rebuild the commit in a fresh clone and compare it with dvc.lock")
    command.set_defaults(run=verify)

    command = commands.add_parser(
        "reproduce",
        help="make a recorded run again in a fresh clone and compare it with its record",
        description="Make a recorded run again in a fresh clone and compare it with its record. The code of the run "
        "is executed, with the changes that it recorded: reproduce runs of people whom you trust.",
        epilog="example: darkroom reproduce warm-sun; of another store: MLFLOW_TRACKING_URI=http://host:5000 darkroom "
        "reproduce 3fa0c1d2",
    )
    command.add_argument("name", nargs="?", metavar="RUN", help="MLflow's id of a run, or the name of an experiment")
    command.add_argument("--from", dest="folder", metavar="FOLDER", help="a downloaded folder `provenance` instead")
    command.add_argument("--keep", action="store_true", help="leave the clone where it is")
    command.set_defaults(run=reproduce)


def verify(options: argparse.Namespace) -> None:
    """Rebuild the committed state and say whether it has the recorded bytes; exit code 1 where it has not."""
    from darkroom.tools import verify

    if not verify.run():
        raise SystemExit(1)


def reproduce(options: argparse.Namespace) -> None:
    """Make a run again and say what has the recorded bytes; exit code 1 unless all has."""
    if (options.name is None) == (options.folder is None):
        raise UserError("reproduce takes either a run or --from with a folder: darkroom reproduce RUN")
    from darkroom.tools import recorded_run, reproduce

    with TemporaryDirectory(prefix="darkroom-record-") as folder:
        if options.name is not None:
            record = recorded_run.from_store(options.name, Path(folder))
        else:
            given = getattr(options, "caller", Path.cwd()) / Path(options.folder).expanduser()
            record = recorded_run.read(f"the run of {options.folder}", given)
        if not reproduce.run(record, options.keep):
            raise SystemExit(1)
