"""The packages for Arch Linux in contrib/arch/."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

import pacserve

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / "contrib/arch"
# The packages of Arch that bring what a line of install_requires names.  Arch leaves what Twisted's TLS needs to those who need it.
ARCH_NAMES = {
    "twisted[tls]": {"python-twisted", "python-pyopenssl", "python-service-identity", "python-idna"},
    "netifaces": {"python-netifaces"},
    "prometheus-client": {"python-prometheus_client"},
    "pyalpm": {"pyalpm"},
}
# Needed as well: the interpreter, pacman-conf, and what Twisted would bring but our own modules import.
OTHERS = {"python", "pacman", "python-zope-interface"}
# What distinguishes the two; everything else is the same.
OWN = {"pkgname", "pkgbase", "pkgdesc", "pkgver", "source", "provides", "conflicts", "makedepends"}


def srcinfo(name: str) -> dict[str, list[str]]:
    """The values that a package's .SRCINFO states for each key."""
    stated: dict[str, list[str]] = {}
    for line in (PACKAGES / name / ".SRCINFO").read_text().splitlines():
        key, separator, value = line.strip().partition(" = ")
        if separator:
            stated.setdefault(key, []).append(value)
    return stated


class PackageTests(SynchronousTestCase):
    """The two PKGBUILDs."""

    @skipUnless(shutil.which("makepkg"), "makepkg is not there")
    def test_srcinfo(self) -> None:
        """Each .SRCINFO is what makepkg says of the PKGBUILD beside it."""
        nobody = pwd.getpwnam("nobody")
        # makepkg refuses to run as root.
        drop: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()} if os.geteuid() == 0 else {}
        for name in ("pacserve", "pacserve-git"):
            with tempfile.TemporaryDirectory() as folder:
                for file in (PACKAGES / name).iterdir():
                    shutil.copy(file, folder)
                os.chown(folder, drop.get("user", -1), drop.get("group", -1))
                done = subprocess.run(
                    ["makepkg", "--printsrcinfo"],
                    cwd=folder,
                    check=False,
                    capture_output=True,
                    text=True,
                    env={"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C"},
                    **drop,
                )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual((PACKAGES / name / ".SRCINFO").read_text(), done.stdout)

    def test_version(self) -> None:
        """The version is that of the source."""
        self.assertEqual(srcinfo("pacserve")["pkgver"], [pacserve.__version__])
        self.assertTrue(srcinfo("pacserve-git")["pkgver"][0].startswith(f"{pacserve.__version__}.r"))

    def test_depends(self) -> None:
        """They depend on all that setup.cfg states, by Arch's names, and on nothing else."""
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg")
        wanted = {line.split(" ")[0] for line in setup["options"]["install_requires"].strip().splitlines()}
        self.assertEqual(wanted, set(ARCH_NAMES))
        self.assertEqual(srcinfo("pacserve")["depends"], sorted(OTHERS.union(*ARCH_NAMES.values())))

    def test_conflicts(self) -> None:
        """They can't stand beside each other, nor beside pacredir, which installs /usr/bin/pacserve and pacserve.service, too."""
        self.assertEqual(srcinfo("pacserve")["conflicts"], ["pacredir"])
        self.assertEqual(srcinfo("pacserve-git")["conflicts"], ["pacredir", "pacserve"])
        self.assertEqual(srcinfo("pacserve-git")["provides"], [f"pacserve={srcinfo('pacserve-git')['pkgver'][0]}"])

    def test_alike(self) -> None:
        """In all but name, version and source they are the same."""
        released, newest = srcinfo("pacserve"), srcinfo("pacserve-git")
        self.assertEqual({key: released[key] for key in set(released) - OWN}, {key: newest[key] for key in set(newest) - OWN})
        self.assertEqual(["git", *released["makedepends"]], newest["makedepends"])
        self.assertEqual((PACKAGES / "pacserve/pacserve.install").read_text(), (PACKAGES / "pacserve-git/pacserve.install").read_text())


class MessageTests(SynchronousTestCase):
    """The lines that pacman prints after an installation, an upgrade and a removal."""

    def said(self, function: str) -> str:
        script = PACKAGES / "pacserve/pacserve.install"
        return subprocess.run(["sh", "-ec", f". '{script}'; {function} 1-1"], check=True, capture_output=True, text=True).stdout

    def test_install(self) -> None:
        """The three next steps, and what the first does, word for word for those who do it by hand."""
        said = self.said("post_install")
        steps = ["pacsrv setup", "pacsrv doctor", "pacman -Syu"]
        self.assertEqual(
            [line.strip() for line in said.splitlines() if line[2:5] in ("1. ", "2. ", "3. ")], [f"{i}. {step}" for i, step in enumerate(steps, 1)]
        )
        lines = (ROOT / "contrib/pacman.d/pacserve").read_text().splitlines()
        self.assertIn(next(line for line in lines if line.startswith("Server = ")), said)
        self.assertIn("systemctl enable --now pacserve\n", said)

    def test_upgrade(self) -> None:
        """One line says how the new version is started."""
        self.assertRegex(self.said("post_upgrade"), r"^[^\n]*systemctl try-restart pacserve\n$")

    def test_remove(self) -> None:
        """What is left behind is named."""
        said = self.said("post_remove")
        self.assertIn("systemctl disable --now pacserve.service pacserve.socket", said)
        for left in ("/etc/pacman.d/mirrorlist", "/var/cache/pacserve", "/var/lib/pacserve"):
            self.assertIn(left, said)
