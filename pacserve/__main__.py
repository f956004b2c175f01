"""`python -m pacserve`."""

import sys

from pacserve.cli.pacserve import main

sys.exit(main())
