"""The stages of the pipeline: `python -m stages.fetch` and so on, which DVC runs."""

import signal
import sys

# `sys.argv[0]` is "-m" while Python looks for the stage. A background process that ignores SIGINT keeps doing so.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Before `console.run` takes over, Ctrl+C ends the process at once: Python's own handler would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
