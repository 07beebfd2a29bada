"""`darkroom COMMAND`, as `python -m darkroom COMMAND`: the commands beside the pipeline (`darkroom.tools.commands`)."""

import signal
import sys


def command() -> None:
    """Run the command of the command line; a mistake, or a package that is missing, is told in one sentence."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until `console.run` takes over, Ctrl+C would end in a page of traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from darkroom.base.console import run
        from darkroom.tools.commands import in_project
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "darkroom":
            raise
        raise SystemExit(
            f"error: {sys.executable} has no {error.name}, which Darkroom needs: `make setup` makes the environment, "
            "and .venv/bin/darkroom runs in it"
        ) from None
    run(in_project)


if __name__ == "__main__":
    command()
