"""
The daemon that soon closes idle connections: `python -m benchmarks.unconnected`, with the options of pacserve.

Peers that announce themselves are not asked when nothing happens, so that after a minute there is no connection to any of them.  This comes to that
without the minute.
"""

import sys

from pacserve.cli.pacserve import main
from pacserve.fetch import agents

# Seconds.
IDLE = 0.3

if __name__ == "__main__":
    agents.IDLE_TIMEOUT = IDLE  # type: ignore[assignment]  # Twisted takes any number of seconds
    sys.exit(main())
