"""Tests for `pacserve.app.apt_notice`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.apt_notice import AptNotice
from tests.unit.contrib.test_apt import APT, NOTICE, URL, started


class AptNoticeTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name) / "pacserve"
        self.file = self.folder / "apt"
        self.addCleanup(os.umask, os.umask(0o077))  # that of the service
        logs = capturedLogs()
        self.events = logs.__enter__()
        self.addCleanup(logs.__exit__, None, None, None)

    def warnings(self) -> list[str]:
        """The troubles that were logged."""
        return [str(event["trouble"]) for event in self.events if "trouble" in event]

    def notice(self, **options: Path) -> AptNotice:
        return AptNotice(None, self.folder, **options)

    def test_there_and_gone(self) -> None:
        """The file is there for everybody to read from the publication to the withdrawal, and nothing else is left."""
        notice = self.notice()
        notice.publish(URL)
        self.assertEqual(self.file.read_text(), f"{URL} {os.getpid()} {started(os.getpid())}\n*\n")
        self.assertEqual((self.file.stat().st_mode & 0o777, self.folder.stat().st_mode & 0o777), (0o644, 0o755))
        notice.withdraw()
        notice.withdraw()
        self.assertEqual((list(self.folder.iterdir()), self.warnings()), ([], []))

    def said(self, *words: str) -> str:
        """What the script of apt's configuration says."""
        script = (APT / "pacserve-proxy").read_text().replace(NOTICE, str(self.file))
        return subprocess.run(["sh", "-s", "--", *words], input=script, capture_output=True, text=True, check=True).stdout

    def test_understood(self) -> None:
        """The script of apt's configuration understands the file, and says the daemon for the hosts of its sources alone."""
        notice = self.notice()
        notice.publish(URL)
        self.assertEqual(self.said("http://downloads.example/font.exe"), f"{URL}\n")
        notice.publish(URL, ["deb.debian.org", "mirror.example:8080", "[2001:db8::1]:81", "a b", "*", "a\nb", ""])
        for host, known in (
            ("deb.debian.org", True),
            ("mirror.example:8080", True),
            ("[2001:db8::1]:81", True),
            ("me:secret@deb.debian.org", True),
            ("deb.debian.org:80", True),
            ("mirror.example", False),
            ("downloads.example", False),
            ("a", False),
            ("*", False),
        ):
            self.assertEqual(self.said(f"http://{host}/debian/dists/"), f"{URL}\n" if known else "", host)
        self.assertEqual(self.said(), f"{URL}\n")

    def test_no_hosts(self) -> None:
        """A daemon without a source answers for none; that changes with the first."""
        notice = self.notice()
        notice.publish(URL, [])
        self.assertEqual(self.said("http://deb.debian.org/"), "")
        notice.publish(URL, iter(["deb.debian.org"]))
        self.assertEqual(self.said("http://deb.debian.org/"), f"{URL}\n")

    def test_unchanged(self) -> None:
        """The file is not written again where nothing has changed."""
        notice = self.notice()
        notice.publish(URL, ["b", "a"])
        before = self.file.stat().st_ino
        notice.publish(URL, ("a", "b", "a"))
        self.assertEqual(self.file.stat().st_ino, before)

    def test_of_the_service_manager(self) -> None:
        """The folder of the service manager is used, the first where there are several; it is not made here."""
        self.folder.mkdir()
        AptNotice(f"{self.folder}:{self.folder}/other").publish(URL)
        self.assertTrue(self.file.exists())
        AptNotice(f"{self.folder}/absent").publish(URL)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["apt"])
        self.assertIn("absent", self.warnings()[0])

    def test_earlier_daemon(self) -> None:
        """The file of a daemon that was killed is replaced, and so is what it left half written."""
        self.folder.mkdir()
        self.file.write_text(f"{URL} 1 1\n")
        (self.folder / ".apt.new").symlink_to(self.folder / "elsewhere")
        self.notice().publish("http://[::1]:9989")
        self.assertIn("9989", self.file.read_text())
        self.assertEqual([path.name for path in self.folder.iterdir()], ["apt"])

    def test_other_daemon(self) -> None:
        """The file of a daemon that came later stays."""
        notice = self.notice()
        notice.publish(URL)
        self.file.write_text("later\n")
        notice.withdraw()
        self.assertEqual(self.file.read_text(), "later\n")

    def test_trouble(self) -> None:
        """Where the file can't be written that is told once, with what to do, and the daemon goes on."""
        self.folder.write_text("no folder")
        notice = self.notice()
        notice.publish(URL)
        notice.publish(URL)
        notice.withdraw()
        (warning,) = self.warnings()
        self.assertIn(f'Acquire::http::Proxy "{URL}";', warning)

    def test_other_proc(self) -> None:
        """Without what the kernel tells of the process no file is written: the script could not tell whether it runs."""
        for text in ("", "1 (a) S 1", "garbage"):
            (self.folder.parent / "stat").write_text(text)
            self.notice(process=self.folder.parent / "stat").publish(URL)
        self.assertFalse(self.file.exists())
        self.assertEqual(len(self.warnings()), 3)

    def test_odd_name(self) -> None:
        """A name with spaces and parentheses does not move the fields."""
        fields = " ".join(str(number) for number in range(4, 30))
        (self.folder.parent / "stat").write_text(f"1 (a) S (b) S {fields}")
        self.notice(process=self.folder.parent / "stat").publish(URL)
        self.assertEqual(self.file.read_text().split()[2], "22")
