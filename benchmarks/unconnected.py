"""
A daemon that soon closes idle connections: `python -m benchmarks.unconnected`, with the options of pacserve.

Peers that announce themselves are asked nothing while nothing happens, so that after a minute all connections to them are closed.  This daemon gets
into that state without the minute.
"""

import sys

from pacserve.cli.pacserve import main
from pacserve.fetch import agents

# Seconds after which an idle connection is closed.
IDLE = 0.3

if __name__ == "__main__":
    agents.IDLE_TIMEOUT = IDLE  # type: ignore[assignment]  # Twisted takes any number of seconds
    sys.exit(main())
