"""The commands around wrong labels: review, and summary, which says what the corrections changed."""

import argparse
from typing import Any

PORT = 7870


def add_to(commands: Any) -> None:
    """Add both to the commands of the command line."""
    command = commands.add_parser(
        "review",
        help="a page on this machine: go through doubtful labels with the keyboard",
        epilog="example: darkroom review; then: dvc repro; then: darkroom summary --against HEAD",
    )
    command.add_argument("--port", type=int, default=PORT, help=f"port of this machine to listen on ({PORT})")
    command.add_argument("--who", metavar="NAME", help="who decides (the name that Git knows)")
    command.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    command.set_defaults(run=review)

    command = commands.add_parser(
        "summary",
        help="say what the last `dvc repro` reached, and where to look",
        epilog="example: darkroom summary --against HEAD",
    )
    command.add_argument("--against", metavar="REV", help="what changed since a commit or an experiment")
    command.set_defaults(run=summary)


def review(options: argparse.Namespace) -> None:
    """Serve the page on this machine until Ctrl+C."""
    from darkroom.tools import review

    review.run(options.port, options.who, browser=not options.no_browser)


def summary(options: argparse.Namespace) -> None:
    """Print the test accuracy, where to look and what to do next; or what changed since a revision."""
    if options.against:
        from darkroom.tools import changes

        print(changes.in_words(options.against))
    else:
        from darkroom.report.summary import in_words

        print(in_words())
