"""Tests for `packaging/debian` and `tools/deb.sh`."""

from __future__ import annotations

import configparser
import re
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.record import APT_CONFIGURATION

ROOT = Path(__file__).parents[3]
DEBIAN = ROOT / "packaging/debian"
# The requirements of setup.cfg by their names in Debian, which has no pyalpm.
PACKAGES = {
    "twisted[tls]": {"python3-twisted", "python3-openssl", "python3-service-identity"},
    "netifaces": {"python3-netifaces"},
    "prometheus-client": {"python3-prometheus-client"},
    "pyalpm": set(),
}


def field(name: str) -> set[str]:
    """The packages that a field of debian/control names."""
    (found,) = re.findall(rf"^{name}:((?:.*\n)(?: .*\n)*)", (DEBIAN / "control").read_text(), re.MULTILINE)
    return {re.sub(r"\s*\(.*\)", "", word.strip()) for word in found.split(",")}


def requirements() -> dict[str, str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return {line.split()[0]: line for line in setup["options"]["install_requires"].strip().splitlines()}


class ControlTests(SynchronousTestCase):
    def test_libraries(self) -> None:
        """What setup.cfg requires is there where the package is built and where it is installed, so that pip takes as little as can be."""
        self.assertEqual(set(requirements()), set(PACKAGES))
        needed = set().union(*PACKAGES.values())
        self.assertEqual(needed - field("Depends"), set())
        self.assertEqual(needed - field("Build-Depends"), set())

    def test_without_pacman(self) -> None:
        """A host without pacman gets neither pacman nor its library unless it wants to."""
        self.assertIn("pacman-package-manager", field("Recommends"))
        self.assertFalse([name for name in field("Depends") if "alpm" in name or "pacman" in name])
        self.assertIn("\tdh_shlibdeps -- -dRecommends\n", (DEBIAN / "rules").read_text())

    def test_constraints(self) -> None:
        """The versions that pip takes are those that setup.cfg allows."""
        fixed = dict(re.findall(r"^(\S+) == (\S+)$", (DEBIAN / "constraints.txt").read_text(), re.MULTILINE))
        for name in ("twisted", "pyalpm"):
            (line,) = (line for key, line in requirements().items() if key.partition("[")[0] == name)
            least = line.split()[-1]
            self.assertGreaterEqual([int(part) for part in fixed[name].split(".")], [int(part) for part in least.split(".")])

    def test_build_packages(self) -> None:
        """The build needs what the script that installs system packages reads from control."""
        script = (ROOT / "tools/system-packages.sh").read_text()
        (command,) = re.findall(r"sed -n '/\^Build-Depends.*", script)
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
        names = {name.replace("debhelper-compat", "debhelper").replace(" ", "") for name in field("Build-Depends")}
        self.assertEqual(set(done.stdout.split()), names)


class ScriptTests(SynchronousTestCase):
    def test_purge(self) -> None:
        """Purging removes the folders that the unit makes and systemd leaves, and only then."""
        unit = (ROOT / "contrib/systemd/pacserve.service").read_text()
        self.assertEqual(re.findall(r"^(?:Cache|State|Logs|Configuration)Directory=(.*)$", unit, re.MULTILINE), ["pacserve", "pacserve"])
        text = (DEBIAN / "postrm").read_text()
        before, _, purge = text.partition('if [ "$1" = purge ]; then')
        self.assertNotIn("rm ", before)
        self.assertIn(f"rm -f {APT_CONFIGURATION} {APT_CONFIGURATION}.dpkg-bak\n", purge)
        self.assertIn("for folder in /var/cache /var/lib; do", purge)
        self.assertIn('rm -rf "$folder/pacserve" "$folder/private/pacserve"', purge)

    def test_syntax(self) -> None:
        """A shell can read the scripts, and each has the part that debhelper fills in."""
        for name in ("postinst", "postrm", "prerm"):
            done = subprocess.run(["sh", "-n", DEBIAN / name], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("\n#DEBHELPER#\n", (DEBIAN / name).read_text())

    def scripted(self, name: str, *words: str) -> None:
        """Runs a script of the package, as dpkg does, for a system that is a folder."""
        text = (DEBIAN / name).read_text().replace("/etc/", f"{self.etc}/").replace("/usr/share/pacserve/", f"{ROOT}/contrib/")
        text = text.replace("/var/", f"{self.etc}/var/").replace("/run/systemd/system", f"{self.etc}/absent")
        done = subprocess.run(["sh", "-s", *words], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def apt(self) -> list[str]:
        """The files in apt.conf.d; apt must find the script that one of them names."""
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertTrue("30pacserve" not in names or self.script.exists())
        return names

    def test_apt(self) -> None:
        """The configuration of apt comes after its script and goes before it, is the user's in between, and comes back as it was."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.etc = Path(temporary.name) / "etc"
        self.folder, self.script = self.etc / "apt/apt.conf.d", self.etc / "apt/pacserve-proxy"
        self.folder.mkdir(parents=True)
        self.script.write_text("")
        self.script.chmod(0o755)
        file = self.folder / "30pacserve"

        self.scripted("postinst", "configure", "")
        self.assertEqual((self.apt(), file.read_text()), (["30pacserve"], (ROOT / "contrib/apt/30pacserve").read_text()))
        file.write_text("changed")
        self.scripted("prerm", "upgrade", "2")
        self.scripted("postinst", "configure", "1")
        self.assertEqual((self.apt(), file.read_text()), (["30pacserve"], "changed"))
        for words in (("abort-remove",), ("configure", "1")):
            self.scripted("prerm", "remove")
            self.assertEqual(self.apt(), ["30pacserve.dpkg-bak"])
            self.scripted("postinst", *words)
            self.assertEqual((self.apt(), file.read_text()), (["30pacserve"], "changed"))
        file.unlink()
        self.scripted("postinst", "configure", "1")
        self.assertEqual(self.apt(), [], "what the user has removed stays so")

        self.scripted("postinst", "configure", "")
        self.scripted("prerm", "remove")
        self.script.unlink()
        self.scripted("postinst", "configure", "")
        self.assertEqual(self.apt(), ["30pacserve.dpkg-bak"], "without the script it would do harm")
        self.scripted("postrm", "purge")
        self.assertEqual(self.apt(), [])

    def test_unit_reads_the_options(self) -> None:
        """The file for options that the package installs is one that the unit reads."""
        self.assertIn("/etc/default/pacserve", (ROOT / "contrib/systemd/pacserve.service").read_text())
        self.assertIn("$(root)/etc/default/pacserve\n", (DEBIAN / "rules").read_text())
