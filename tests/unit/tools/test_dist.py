"""`make dist`: the source distribution and the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

import pacserve

ROOT = Path(__file__).parents[3]
# What only git and the machines of this project read.
NOT_DISTRIBUTED = (".ci/", ".gitignore")
# What setuptools adds.
ADDED = ("PKG-INFO", "pacserve.egg-info/")


def known() -> set[str]:
    """The files that git does not ignore; none where this is not a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


class DistTests(SynchronousTestCase):
    @pytest.mark.slow
    def test_complete(self) -> None:
        """Both are accepted by twine and check-wheel-contents; the source distribution has all of the checkout, the wheel all of the package."""
        files = known()
        if not files:
            self.skipTest("not a checkout of git")
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
            done = subprocess.run(["tools/dist.sh", folder], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            name = f"pacserve-{pacserve.__version__}"
            with tarfile.open(Path(folder, f"{name}.tar.gz")) as archive:
                source = {member.name.removeprefix(f"{name}/") for member in archive if member.isfile()}
            with zipfile.ZipFile(Path(folder, f"{name}-py3-none-any.whl")) as wheel:
                modules = {member for member in wheel.namelist() if not member.startswith(f"{name}.dist-info/")}
        self.assertEqual(
            {member for member in source if member != "setup.cfg" and not member.startswith(ADDED)},
            {name for name in files if name != "setup.cfg" and not name.startswith(NOT_DISTRIBUTED)},
        )
        self.assertEqual(modules, {name for name in files if name.startswith("pacserve/")})
