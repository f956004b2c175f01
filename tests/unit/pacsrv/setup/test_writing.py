"""Tests for `pacserve.pacsrv.setup.writing`."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import tempfile
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.planning import Change
from pacserve.pacsrv.setup.writing import WritingError, replace_all


class WritingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.one, self.two = self.folder / "one", self.folder / "two"
        for path in (self.one, self.two):
            path.write_text("before\n")

    def changes(self) -> list[Change]:
        """Changes of both files."""
        return [Change(str(path), "before\n", "after \udcff\n") for path in (self.one, self.two)]

    def untouched(self) -> None:
        """Fails unless both files are as they were, and nothing lies beside them."""
        self.assertEqual({path.name: path.read_text() for path in self.folder.iterdir()}, {"one": "before\n", "two": "before\n"})

    def test_replaced(self) -> None:
        """All files have the new bytes, whatever their encoding, and their old mode; nothing is left beside them."""
        self.one.chmod(0o640)
        replace_all(self.changes())
        self.assertEqual({path.name: path.read_bytes() for path in self.folder.iterdir()}, {"one": b"after \xff\n", "two": b"after \xff\n"})
        self.assertEqual(self.one.stat().st_mode & 0o7777, 0o640)

    def test_noticed(self) -> None:
        """The time of a changed file is new: the daemon reads pacman.conf again by it."""
        os.utime(self.one, (1000, 1000))
        replace_all(self.changes()[:1])
        self.assertGreater(self.one.stat().st_mtime, 1_000_000)

    @skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_owner(self) -> None:
        """A file stays its owner's."""
        os.chown(self.one, 1234, 5678)
        replace_all(self.changes())
        self.assertEqual((self.one.stat().st_uid, self.one.stat().st_gid), (1234, 5678))

    def test_changed_meanwhile(self) -> None:
        """A file that somebody changed since it was shown is left alone, and so are the others."""
        self.two.write_text("other\n")
        error = self.assertRaises(WritingError, replace_all, self.changes())
        self.assertIn(f"{self.two} has changed meanwhile", str(error))
        self.assertEqual(self.one.read_text(), "before\n")
        self.assertEqual(len(list(self.folder.iterdir())), 2)

    def test_gone(self) -> None:
        """A file that is gone is named, and nothing is changed."""
        self.two.unlink()
        error = self.assertRaises(WritingError, replace_all, self.changes())
        self.assertIn(f"{self.two} can't be written: no such file", str(error))
        self.assertEqual(self.one.read_text(), "before\n")

    def test_full_disk(self) -> None:
        """Where the new text does not fit, nothing is changed."""
        former = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, ignored)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, former[1]))
        try:
            error = self.assertRaises(WritingError, replace_all, self.changes())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
        self.assertIn("file too large; nothing was changed", str(error))
        self.untouched()

    def failing(self, error: BaseException) -> None:
        """Lets the second file be one that can't be replaced."""
        replace = os.replace

        def refused(old: str, new: str) -> None:
            if new == str(self.two):
                raise error
            replace(old, new)

        self.patch(os, "replace", refused)

    def test_second_file(self) -> None:
        """Where a later file can't be replaced (it is immutable, or a mount), the former ones are put back."""
        self.failing(OSError(errno.EBUSY, "Device or resource busy"))
        error = self.assertRaises(WritingError, replace_all, self.changes())
        self.assertIn(f"{self.two} can't be written: device or resource busy", str(error))
        self.untouched()

    def test_interrupted(self) -> None:
        """Ctrl-C in between puts all back, too."""
        self.failing(KeyboardInterrupt())
        self.assertRaises(KeyboardInterrupt, replace_all, self.changes())
        self.untouched()

    def mixed(self) -> list[Change]:
        """A new script, a changed file and one that is removed, in this order."""
        return [
            Change(str(self.folder / "script"), None, "#!/bin/sh\n", executable=True),
            Change(str(self.one), "before\n", "after\n"),
            Change(str(self.two), "before\n", None),
        ]

    def test_new_and_removed(self) -> None:
        """A new file is one for everybody to read, a script one to start, and a removed one is gone; nothing is left beside them."""
        self.addCleanup(os.umask, os.umask(0o077))
        replace_all([*self.mixed(), Change(str(self.folder / "new"), None, "new\n")])
        self.assertEqual({path.name: path.read_text() for path in self.folder.iterdir()}, {"one": "after\n", "script": "#!/bin/sh\n", "new": "new\n"})
        modes = [(self.folder / name).stat().st_mode & 0o777 for name in ("script", "new")]
        self.assertEqual(modes, [0o755, 0o644])

    def test_executable(self) -> None:
        """A script that can't be started is mended without other bytes."""
        self.one.chmod(0o640)
        replace_all([Change(str(self.one), "before\n", "before\n", executable=True)])
        self.assertEqual(self.one.stat().st_mode & 0o777, 0o751)

    def test_order(self) -> None:
        """Changes are made in their order, and taken back in the opposite one."""
        self.mixed_up(fail=False)
        replace_all(self.mixed())
        self.assertEqual(self.seen, [{"one": "before\n", "two": "before\n"} | changed for changed in _STEPS])
        self.two.write_text("before\n")
        self.one.write_text("before\n")
        (self.folder / "script").unlink()
        self.mixed_up(fail=True)
        self.assertRaises(WritingError, replace_all, self.mixed())
        self.assertEqual(self.seen[-1]["script"], "#!/bin/sh\n", "the script that was new went last")
        self.untouched()

    def mixed_up(self, *, fail: bool) -> None:
        """Notes what is there before each change; the last change fails where that is wanted."""
        self.seen: list[dict[str, str]] = []
        self.patch(os, "replace", os.replace)
        replace = os.replace

        def noted(old: str, new: str) -> None:
            self.seen.append({path.name: path.read_text() for path in self.folder.iterdir() if not path.name.startswith(".")})
            if fail and old == str(self.two):
                raise OSError(errno.EBUSY, "Device or resource busy")
            replace(old, new)

        self.patch(os, "replace", noted)

    def test_there_meanwhile(self) -> None:
        """A file that somebody wrote since it was to be a new one is left alone."""
        (self.folder / "script").symlink_to("nowhere")
        error = self.assertRaises(WritingError, replace_all, self.mixed())
        self.assertIn("script", str(error))
        self.assertEqual((self.one.read_text(), len(list(self.folder.iterdir()))), ("before\n", 3))


_SCRIPT = {"script": "#!/bin/sh\n"}
# What is there besides, before each step of `mixed`.
_STEPS: tuple[dict[str, str], ...] = ({}, _SCRIPT, {**_SCRIPT, "one": "after\n"})
