"""Tests for `pacserve.config.guide`."""

import re
import shlex
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.guide import GUIDE
from pacserve.config.options import build_parser, parse_options
from pacserve.discovery.filters import PeerFilters, parse_filter
from pacserve.network.addresses import Endpoint


class GuideTests(SynchronousTestCase):
    def test_sections(self) -> None:
        """The guide has its sections in this order."""
        sections = ["ABOUT", "PACMAN.CONF", "PACSERVE NETWORKS", "APT", "DELIVERY", "MULTICAST FILTERING", "CONFIGURATION FILE"]
        self.assertEqual(re.findall(r"(?m)^([A-Z][A-Z. ]+)$", GUIDE), sections)

    def test_width(self) -> None:
        """It fits into a terminal of 80 columns."""
        self.assertEqual([line for line in GUIDE.splitlines() if len(line) > 79 or line != line.rstrip()], [])

    def test_options(self) -> None:
        """It speaks of no option that there is not."""
        known = build_parser().format_help()
        for option in set(re.findall(r"--[a-z][a-z-]*", GUIDE)) - {"--more-help"}:
            self.assertIn(option, known)

    def test_commands(self) -> None:
        """The command lines that it shows are taken as they stand."""
        commands = re.findall(r"(?m)^    pacserve ((?:.*\\\n)*.*)$", GUIDE)
        self.assertGreater(len(commands), 4)
        for command in commands:
            parse_options(shlex.split(command.replace("\\\n", "")))

    def test_filters(self) -> None:
        """The filters that it shows do what it says of them."""
        texts = re.findall(r"--multicast-filter '([^']*)'", GUIDE)
        self.assertIn(r"i:^10\.0\.0\.", texts)
        for text, yes, no in (
            (r"i:^10\.0\.0\.", Endpoint("10.0.0.3", 15678), Endpoint("10.0.1.3", 15678)),
            (r"i:^\[fd77:", Endpoint("fd77::b", 15678), Endpoint("fe80::fd77:1", 15678)),
            (r"x:^10\.0\.0\.7:", Endpoint("10.0.0.70", 15678), Endpoint("10.0.0.7", 15678)),
        ):
            self.assertIn(text, texts)
            filters = PeerFilters([parse_filter(text)])
            self.assertEqual((filters.admitted([yes]), filters.admitted([no])), ((yes,), ()))

    def test_wrapper(self) -> None:
        """The script that it shows is one, and hands its own arguments on at the end."""
        script = "\n".join(line.removeprefix("    ") for line in GUIDE[GUIDE.index("    #!/bin/sh") :].split("\n\n")[0].splitlines())
        self.assertTrue(script.endswith('"$@"'))
        stand_in = f"pacserve() {{ printf '%s\\n' \"$@\"; }}\n{script.replace('exec ', '')}"
        run = subprocess.run(["/bin/sh", "-c", stand_in, "sh", "--port", "1"], capture_output=True, check=True, text=True)
        words = run.stdout.split()
        self.assertEqual(words[-2:], ["--port", "1"])
        build_parser().parse_args(words)
