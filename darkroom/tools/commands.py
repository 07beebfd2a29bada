"""The commands beside the pipeline, from add to ui."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darkroom.base import paths
from darkroom.base.errors import UserError, printable
from darkroom.base.words import listed
from darkroom.tools import comparison_commands, rebuilding_commands, review_commands

MODEL_FOLDER = str(paths.MODEL.parent)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, given as `arguments` (those of the process by default), in the working folder."""
    options = _parser().parse_args(arguments)
    options.run(options)


def in_project() -> None:
    """Run the command of the command line at the root of its project, from any folder below it."""
    options = _parser().parse_args()
    enter_project(options)
    options.run(options)
    if options.command == "predict":  # nothing is left to do, and to take torch apart would take most of a second
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def enter_project(options: argparse.Namespace) -> None:
    """Go to the root of the project around the working folder; file arguments still count from the caller's folder.

    Raises UserError outside a project, if the command needs one, and in another clone than that of this code.
    """
    caller, named = Path.cwd(), getattr(options, "model", None)
    if options.command == "predict" and named:
        return  # it needs no project
    root, own = paths.project(caller), Path(__file__).resolve().parents[2]
    if root is None:
        here = hasattr(options, "model") and paths.MODEL.is_file()
        store = options.command == "ui" and os.environ.get("MLFLOW_TRACKING_URI")
        if named or here or store or options.command == "doctor":  # doctor says what is missing
            return
        raise UserError(
            f"{caller} lies in no Darkroom project, a folder with {paths.GRAPH} and {paths.PARAMS}: go into one"
        )
    if (root / "darkroom" / "__init__.py").is_file() and root.resolve() != own:
        raise UserError(
            f"{root} is another clone than that of this command, {own}: use {root / '.venv/bin/darkroom'}, which "
            "`make setup` makes there"
        )
    if options.command == "predict":  # it reads the caller's files, and only the model of the project
        options.model = options.model or str(root / MODEL_FOLDER)
    elif caller != root:
        options.caller = caller
        for name in ("model", "output"):
            if getattr(options, name, None):
                setattr(options, name, str(caller / getattr(options, name)))
        os.chdir(root)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="darkroom", description="Commands beside the pipeline.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_command(commands)

    command = commands.add_parser("predict", help="classify pictures with the trained model")
    command.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="picture files, folders, patterns in quotes; - for the bytes of one on standard input",
    )
    command.add_argument("--top-k", type=_positive, default=3, metavar="K", help="classes shown of each picture (3)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object a line for each picture")
    form.add_argument("--csv", action="store_true", help="print a table")
    command.add_argument(
        "--invert",
        choices=("never", "always", "auto"),
        default="never",
        help="take the negative, white for black; auto: where that looks much more like the training images",
    )
    command.add_argument("--fit", action="store_true", help="cut out a sign on a plain ground, as a digit on paper")
    command.add_argument("--model", metavar="FOLDER", help="where the model lies")
    command.set_defaults(run=predict)

    command = commands.add_parser("check", help="before a long training: check data, network and learning rate")
    command.set_defaults(run=check)

    command = commands.add_parser("doctor", help="go through what a run needs of this machine and repository")
    command.set_defaults(run=doctor)

    command = commands.add_parser("export", help="write the model as one file that runs without Darkroom (ONNX)")
    command.add_argument("--format", default="onnx", help="form of the file: onnx, the only one so far")
    command.add_argument("--output", metavar="FILE", help="where to write it (model.onnx beside the model)")
    command.add_argument("--model", metavar="FOLDER", help="where the model lies")
    command.set_defaults(run=export)

    command = commands.add_parser("demo", help="a page on this machine: drop, draw or photograph a picture")
    command.add_argument("--port", type=_positive, default=7860, help="port of this machine to listen on (7860)")
    command.add_argument("--model", metavar="FOLDER", help="where the model lies")
    command.set_defaults(run=demo)

    review_commands.add_to(commands)
    comparison_commands.add_to(commands)
    rebuilding_commands.add_to(commands)

    _queue_command(commands)

    command = commands.add_parser("ui", help="serve MLflow's pages on this machine")
    command.add_argument("--port", type=_positive, default=5000, help="port of this machine to listen on (5000)")
    command.set_defaults(run=ui)
    return parser


def _queue_command(commands: Any) -> None:
    command = commands.add_parser(
        "queue",
        help="who is at work on DVC's queue; queue again what was cut off",
        epilog="example: darkroom queue --retry; then: dvc queue start",
    )
    command.add_argument(
        "--retry", nargs="?", const="", metavar="NAME",
        help="queue again what has nobody at work; with a NAME, that task, also where it failed",
    )  # fmt: skip
    command.set_defaults(run=queue)


def _add_command(commands: Any) -> None:
    command = commands.add_parser(
        "add",
        help="look into an archive, and write its entry of datasets.yaml",
        epilog="example: darkroom add ~/photos/cats.zip; then: dvc exp run -S dataset=cats",
    )
    command.add_argument(
        "source", metavar="SOURCE",
        help="an archive, a folder, an address, kaggle:OWNER/NAME, competition:SLUG or huggingface:OWNER/NAME",
    )  # fmt: skip
    command.add_argument("--name", help="name of the entry (that of the source)")
    command.add_argument("--yes", action="store_true", help="ask nothing; where two readings fit, show both and end")
    command.add_argument(
        "--choose", action="append", default=[], metavar="NAME=WORD", help="answer a question; may be given repeatedly"
    )
    command.set_defaults(run=add)


def add(options: argparse.Namespace) -> None:
    """Write the entry of a data set; exit code 1 where a question stays open, or was left."""
    from darkroom.tools import add, draft_answers

    at_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not options.yes
    ask = draft_answers.ask if at_terminal else draft_answers.refuse
    folder = getattr(options, "caller", Path.cwd())
    try:
        add.run(options.source, folder, options.name, draft_answers.given(options.choose), ask)
    except draft_answers.Left:
        print(f"{paths.DATASETS} is as it was")
        raise SystemExit(1) from None


def predict(options: argparse.Namespace) -> None:
    """Print the most probable classes of each picture; go on after an unreadable one, and end with exit code 1."""
    from darkroom.tools import find_pictures, prediction_output
    from darkroom.tools import predict as command

    skipped: list[str] = []
    names = find_pictures.find(options.pictures, skipped)
    form: prediction_output.Form = "json" if options.json else "csv" if options.csv else "text"
    wanted = command.Wanted(options.top_k, form, options.invert, options.fit)
    count, unusable = command.run(names, options.model or MODEL_FOLDER, wanted)
    if skipped:
        print(f"skipped {printable(listed(skipped, 3))}: no name of a picture", file=sys.stderr)
    if unusable:
        raise SystemExit(1)
    if not count:
        raise UserError(f"there is no picture in {' '.join(options.pictures)}")


def check(options: argparse.Namespace) -> None:
    """Print the check-list, a line as soon as it is known; exit code 1 where a check fails."""
    from darkroom.base import torch_setup
    from darkroom.config import params
    from darkroom.dataset.packed import load_split

    images = len(load_split("train")) if paths.SPLIT.is_file() else None  # the checks say what is missing
    settings, entry = params.load(images=images)
    torch_setup.torch_for(threads=settings.train.threads, portable=settings.train.portable)
    from darkroom.tools import checklist

    if not checklist.run(settings, entry):
        raise SystemExit(1)


def doctor(options: argparse.Namespace) -> None:
    """Print a line for each thing that a run needs, as soon as it is known; exit code 1 where one is missing."""
    from darkroom.tools import doctor

    if not doctor.run():
        raise SystemExit(1)


def export(options: argparse.Namespace) -> None:
    """Write the ONNX file, checked against PyTorch on the test images."""
    from darkroom.base import torch_setup

    torch_setup.torch_for(threads=0, portable=False)
    from darkroom.tools import export

    folder = Path(options.model or MODEL_FOLDER)
    export.run(folder, Path(options.output) if options.output else folder / "model.onnx", options.format)


def demo(options: argparse.Namespace) -> None:
    """Serve the demo page on this machine until Ctrl+C."""
    from darkroom.base import torch_setup
    from darkroom.tools import ports

    ports.check(options.port)
    torch_setup.torch_for(threads=0, portable=False)
    from darkroom.tools import demo

    demo.run(Path(options.model or MODEL_FOLDER), options.port)


def queue(options: argparse.Namespace) -> None:
    """Print the queue, or queue again what was cut off; exit code 1 where a task cannot be queued."""
    from darkroom.tools import queue

    if options.retry is None:
        queue.show()
    else:
        queue.retry(options.retry)


def ui(options: argparse.Namespace) -> None:
    """Serve MLflow's pages on this machine until Ctrl+C."""
    from darkroom.tools import ports
    from darkroom.tracking import store

    if not paths.PARAMS.is_file() and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise UserError(
            f"there is no {paths.PARAMS} here: run this at the root of the repository, or set MLFLOW_TRACKING_URI"
        )
    ports.check(options.port)
    try:
        address = store.prepare()
    except Exception as error:  # the kind depends on the server or database
        raise UserError(
            f"MLflow at {store.uri()} cannot be opened ({store.reason(error)}): `python -m darkroom doctor` says more"
        ) from None
    from darkroom.tools import mlflow_pages

    mlflow_pages.serve(address, options.port)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return number
