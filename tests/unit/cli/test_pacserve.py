"""Tests for `pacserve.cli.pacserve`, in processes of their own."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

COMMAND = (sys.executable, "-m", "pacserve")
EX_CONFIG = 78  # sysexits.h
# Seconds in which a process on a busy machine starts and ends.
PATIENCE = 20


class RefusedStartTests(SynchronousTestCase):
    ABSENT = ("--pacman-conf", "/nonexistent/pacman.conf")

    def test_full_disk(self) -> None:
        """A daemon that can't start ends, also where it can't say why."""
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([*COMMAND, *self.ABSENT], stderr=full, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, EX_CONFIG)

    def test_closed(self) -> None:
        """A daemon that can't start ends, also where stderr is closed."""
        done = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, *self.ABSENT], timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, EX_CONFIG)


DEFECTIVE = """
import os, signal, sys
from pacserve.app.daemon import Daemon
async def start(self): os.kill(os.getpid(), signal.SIGTERM)
async def stop(self): raise ZeroDivisionError("in the end")
Daemon.start, Daemon.stop = start, stop
from pacserve.cli.pacserve import main
sys.exit(main([]))
"""


class StopTests(SynchronousTestCase):
    def test_defect(self) -> None:
        """A defect while the daemon stops is told, and does not keep the process from ending."""
        done = subprocess.run([sys.executable, "-c", DEFECTIVE], capture_output=True, text=True, timeout=60, check=False)
        self.assertIn("ZeroDivisionError: in the end", done.stderr)
        self.assertEqual(done.returncode, 1)
