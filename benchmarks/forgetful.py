"""
The daemon without its memory of which client was sent to which peer: `python -m benchmarks.forgetful`, with the options of pacserve.

A client that asks again is not sent to the same peer, so that a second run of pacman heals.  wrk asks again all the time and stands for many
clients; the memory is still written and looked at, and costs the same.
"""

import sys

from pacserve.cli.pacserve import main
from pacserve.resolver import history

if __name__ == "__main__":
    history.MEMORY = 0.0
    sys.exit(main())
