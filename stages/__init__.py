"""The stages of the pipeline: `python -m stages.fetch` and so on, which DVC runs."""

import signal
import sys

# As Python names itself while it looks for the stage; a process in the background may ignore the signal, and shall.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `console.run` takes over, Ctrl+C would end in a page of traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
