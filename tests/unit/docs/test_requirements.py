"""Tests for `requirements-without-pacman.txt`, and for what a host without pacman must not need."""

import configparser
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[3]
# Imports every module of the daemon and of pacsrv but the one that reads a database, where pyalpm can't be imported.
IMPORTS = """
import importlib, pkgutil, sys
import pacserve

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "pyalpm":
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
for module in pkgutil.walk_packages(pacserve.__path__, "pacserve."):
    if module.name not in ("pacserve.__main__", "pacserve.pacman.database_reader"):
        importlib.import_module(module.name)
"""

# The oldest Twisted that setup.cfg names has this class without a type.
OLDEST_TWISTED = """
import twisted.protocols.tls  # subclasses of its own
from twisted.protocols.policies import WrappingFactory

def refuse(*_):
    raise TypeError("type 'WrappingFactory' is not subscriptable")

WrappingFactory.__class_getitem__ = refuse
"""


class RequirementsTests(SynchronousTestCase):
    def test_without_pacman(self) -> None:
        """A host without pacman needs what setup.cfg states, but for pyalpm."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        stated = setup["options"]["install_requires"].strip().splitlines()
        lines = (ROOT / "requirements-without-pacman.txt").read_text().splitlines()
        without = [line for line in lines if not line.startswith("#")]
        self.assertEqual([line for line in stated if not line.startswith("pyalpm")], without)
        self.assertEqual(len(stated), len(without) + 1)

    def test_imports(self) -> None:
        """Nothing imports pyalpm but the program that reads a database."""
        done = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_oldest_twisted(self) -> None:
        """Every module can be imported with the oldest Twisted that is allowed, which Debian 13 nearly has."""
        done = subprocess.run([sys.executable, "-c", OLDEST_TWISTED + IMPORTS], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
