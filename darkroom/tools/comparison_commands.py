"""The commands that run many trainings and compare them: folds, search and compare."""

import argparse
from typing import Any

from darkroom.base.errors import UserError
from darkroom.base.words import listed


def add_to(commands: Any) -> None:
    """Add them to the commands of the command line."""
    command = commands.add_parser(
        "folds",
        help="cross-validation: each of K models predicts the images that it never saw",
        epilog="example: darkroom folds 5; then: darkroom compare --folds",
    )
    command.add_argument("count", type=int, choices=range(2, 21), metavar="K", help="number of folds, 2 to 20")
    command.set_defaults(run=folds)

    command = commands.add_parser(
        "search",
        help="try parameters over many short trainings (search.yaml), and train the best again",
        epilog="example: darkroom search; the same command goes on with what was cut off, also on other machines",
    )
    command.add_argument(
        "--storage", metavar="ADDRESS", help="database of the search, as postgresql+psycopg2://USER:PASSWORD@HOST/NAME"
    )
    command.set_defaults(run=search)

    command = commands.add_parser(
        "compare",
        help="set experiments and committed states side by side, over their seeds",
        epilog="example: darkroom compare --where dataset=digits --commits main~10..main",
    )
    command.add_argument("names", nargs="*", metavar="NAME", help="experiments or their revisions (all)")
    command.add_argument("--metric", help="a figure of metrics/evaluate.json, as auc or test.macro_f1 (accuracy)")
    command.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only runs with this parameter, as used; may be given repeatedly",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument("--commits", metavar="A..B", help="the experiments and states of these commits (HEAD alone)")
    which.add_argument("--all-commits", action="store_true", help="those of all branches and tags")
    which.add_argument("--from-mlflow", action="store_true", help="the runs in MLflow's store, also of other machines")
    which.add_argument("--folds", action="store_true", help="instead, the results that `darkroom folds` has left")
    command.set_defaults(run=compare)


def compare(options: argparse.Namespace) -> None:
    """Compare the experiments, print the table and write it; or compare results of folds, and print."""
    from darkroom.tools import compare, compare_folds, compared_runs

    if not options.folds:
        commits = compared_runs.ALL if options.all_commits else options.commits
        commits = compared_runs.MLFLOW if options.from_mlflow else commits
        compare.show(options.names, options.metric or "val.accuracy", commits, options.where)
    elif options.names or options.where:
        raise UserError(f"compare --folds shows all results: leave {listed(options.names + options.where)} out")
    else:
        compare_folds.show(options.metric or "accuracy")


def folds(options: argparse.Namespace) -> None:
    """Train and predict the folds that are not finished yet, write the result and print it."""
    from darkroom.base import torch_setup
    from darkroom.config import params

    settings, _ = params.load()
    torch_setup.torch_for(threads=settings.train.threads, portable=settings.train.portable)
    from darkroom.tools import folds

    folds.run(options.count)


def search(options: argparse.Namespace) -> None:
    """Run the trials of search.yaml that are left, then train the best again and write the page."""
    from darkroom.tools import search

    search.run(options.storage)
