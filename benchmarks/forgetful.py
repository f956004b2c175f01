"""
The daemon without its memory of the peer that each client was redirected to: `python -m benchmarks.forgetful`, with the options of pacserve.

A client that asks again for a file is not redirected to the same peer, so that a second run of pacman succeeds.  wrk asks for the same file again and
again, and stands for many clients.  The memory is still written and read, so that it costs the same.
"""

import sys

from pacserve.cli.pacserve import main
from pacserve.resolver import history

if __name__ == "__main__":
    history.MEMORY = 0.0
    sys.exit(main())
