"""Tests for `pacserve.pacman.configuration_files`."""

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacman.configuration_files import look_at


class LookTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.write("pacman.conf", f"[options]\nInclude = {self.folder}/*.inc\n")

    def write(self, name: str, text: str = "") -> str:
        """Writes a file, and returns its path."""
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def test_files(self) -> None:
        """Every file is seen that is included, however deep, each with what changes when it does."""
        first = self.write("a.inc", f"Include = {self.folder}/deep\n")
        deep = self.write("deep", "# more\n")
        seen = look_at(self.path)
        self.assertEqual(({self.path, first, deep}, "", False), (set(seen.stamps), seen.trouble, seen.absent))
        found = Path(deep).stat()
        self.assertEqual((found.st_mtime_ns, found.st_ino, 7), seen.stamps[deep])

    def test_absent(self) -> None:
        """Nothing of the name is another matter than a link that leads nowhere; both are told in words."""
        for absent in (True, False):
            Path(self.path).unlink()
            if not absent:
                Path(self.path).symlink_to("nowhere")
            seen = look_at(self.path)
            self.assertEqual(({self.path: None}, absent), (seen.stamps, seen.absent))
            self.assertIn("can't be read: no such file or directory", seen.trouble)
            Path(self.path).touch()

    def test_unreadable_include(self) -> None:
        """An included file that can't be read is for pacman-conf to complain of."""
        broken = self.folder / "broken.inc"
        broken.symlink_to("nowhere")
        folder = self.folder / "folder.inc"
        folder.mkdir()
        seen = look_at(self.path)
        self.assertEqual((seen.stamps[str(broken)], seen.stamps[str(folder)], seen.trouble), (None, None, ""))

    def test_waits(self) -> None:
        """A FIFO and a socket are named and not opened, whether they are the first file or another one."""
        fifo, listening = str(self.folder / "fifo.inc"), str(self.folder / "socket.inc")
        os.mkfifo(fifo)
        self.assertIn(f"{fifo} is a FIFO", look_at(self.path).trouble)
        self.assertIn(f"{fifo} is a FIFO", look_at(fifo).trouble)
        Path(fifo).unlink()
        with socket.socket(socket.AF_UNIX) as this:
            this.bind(listening)
            self.assertIn(f"{listening} is a socket", look_at(self.path).trouble)

    def test_writer_is_left_alone(self) -> None:
        """A program that writes into a FIFO does not notice that it was looked at."""
        fifo = str(self.folder / "fifo.inc")
        os.mkfifo(fifo)
        writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, writer)
        os.write(writer, b"Server = x")
        look_at(self.path)
        self.assertEqual(b"Server = x", os.read(writer, 100))

    def test_device(self) -> None:
        """A device such as /dev/null may be included, and is not read."""
        self.write("pacman.conf", "Include = /dev/null\nInclude = /dev/zero\n")
        seen = look_at(self.path)
        self.assertEqual(("", True), (seen.trouble, None not in seen.stamps.values()))

    def test_circle(self) -> None:
        """Files that include themselves come to an end."""
        self.write("a.inc", f"Include = {self.folder}/*\n")
        self.assertEqual(2, len(look_at(self.path).stamps))
