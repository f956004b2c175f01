"""The example of a wrapper script, contrib/pacserve-static."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

SCRIPT = Path(__file__).parents[3] / "contrib/pacserve-static"


class WrapperTests(SynchronousTestCase):
    """It starts pacserve with its own options and with those that it was given."""

    def test_words(self) -> None:
        """Every word arrives as it was written, those of the caller last."""
        with tempfile.TemporaryDirectory() as folder:
            daemon = Path(folder) / "pacserve"
            daemon.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
            daemon.chmod(0o755)
            done = subprocess.run(
                [SCRIPT, "--port", "15680", "two words"], check=True, capture_output=True, text=True, env={"PATH": f"{folder}:/usr/bin:/bin"}
            )
        words = done.stdout.splitlines()
        self.assertEqual(words[:2], ["--pacserver", "nas.lan"])
        self.assertIn("[fd00::5]:15680", words)
        self.assertEqual(words[-3:], ["--port", "15680", "two words"])
