"""Tests for L{pacserve.config.guide}."""

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.guide import GUIDE
from pacserve.config.options import build_parser


class GuideTests(SynchronousTestCase):
    def test_sections(self) -> None:
        """The guide has its sections in this order."""
        self.assertEqual(re.findall(r"(?m)^([A-Z][A-Z. ]+)$", GUIDE), ["ABOUT", "PACMAN.CONF", "PACSERVE NETWORKS", "CONFIGURATION FILE"])

    def test_width(self) -> None:
        """It fits into a terminal of 80 columns."""
        self.assertEqual([line for line in GUIDE.splitlines() if len(line) > 79 or line != line.rstrip()], [])

    def test_options(self) -> None:
        """It speaks of no option that there is not."""
        known = build_parser().format_help()
        for option in set(re.findall(r"--[a-z][a-z-]*", GUIDE)) - {"--more-help"}:
            self.assertIn(option, known)

    def test_wrapper(self) -> None:
        """The script that it shows is one, and hands its own arguments on at the end."""
        script = "\n".join(line.removeprefix("    ") for line in GUIDE[GUIDE.index("    #!/bin/sh") :].split("\n\n")[0].splitlines())
        self.assertTrue(script.endswith('"$@"'))
        stand_in = f"pacserve() {{ printf '%s\\n' \"$@\"; }}\n{script.replace('exec ', '')}"
        run = subprocess.run(["/bin/sh", "-c", stand_in, "sh", "--port", "1"], capture_output=True, check=True, text=True)
        words = run.stdout.split()
        self.assertEqual(words[-2:], ["--port", "1"])
        build_parser().parse_args(words)
