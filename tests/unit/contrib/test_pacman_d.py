"""The lines for pacman.conf in contrib/pacman.d/."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

LINES = Path(__file__).parents[3] / "contrib/pacman.d/pacserve"


@skipUnless(shutil.which("pacman-conf"), "pacman is not there")
class IncludeTests(SynchronousTestCase):
    """pacman reads the file as it stands there."""

    def test_server(self) -> None:
        """Included before the mirrors, it makes pacserve the first server of a repository and leaves the mirrors behind it."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as configuration:
            configuration.write(f"[options]\nArchitecture = x86_64\n[extra]\nInclude = {LINES}\nServer = https://mirror.example/$repo/os/$arch\n")
            configuration.flush()
            done = subprocess.run(["pacman-conf", "--config", configuration.name, "--repo", "extra"], check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        servers = [line.removeprefix("Server = ") for line in done.stdout.splitlines() if "Server" in line]
        self.assertEqual(servers, ["http://localhost:15678/request/extra/x86_64", "https://mirror.example/extra/os/x86_64"])
