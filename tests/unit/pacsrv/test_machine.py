"""Tests for `pacserve.pacsrv.folders`, `pacserve.pacsrv.process` and `pacserve.pacsrv.pacman`."""

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.folders import free_space, look_at
from pacserve.pacsrv.pacman import LocalFiles
from pacserve.pacsrv.process import User, listener

NAME = "zlib-1-1-any.pkg.tar.zst"
STRANGER = User(54321, frozenset({54321}))


class MachineTests(SynchronousTestCase):
    def folder(self) -> Path:
        """An empty folder that everybody may reach."""
        path = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, path)
        path.chmod(0o755)
        return path

    def test_readable(self) -> None:
        """A folder of packages that all may read is well, for root whatever its mode."""
        path = self.folder()
        (path / NAME).touch(0o644)
        root = look_at(str(path), User(0, frozenset()))
        self.assertEqual((root.problem, root.doubt, root.missing), ("", "", False))
        self.assertGreater(root.free or 0, 0)

    def test_unreadable(self) -> None:
        """A folder that the user may not enter, and files that it may not read, are named; its own group counts."""
        path = self.folder()
        (path / NAME).touch()
        (path / NAME).chmod(0o640)
        group = User(54321, frozenset({(path / NAME).stat().st_gid}))
        (path / f"{NAME}.part").touch(0o600)
        self.assertIn(f"1 of 1 files, such as {NAME}", look_at(str(path), STRANGER).problem)
        self.assertEqual(look_at(str(path), group).problem, "")
        path.chmod(0o700)
        self.assertIn("may not enter", look_at(str(path), STRANGER).problem)

    def test_unknown(self) -> None:
        """A folder that is missing, and a user that is not known, are told as such."""
        self.assertTrue(look_at("/nonexistent/pkg", STRANGER).missing)
        self.assertTrue(look_at("/", None).doubt)
        self.assertEqual(free_space("/nonexistent/pkg"), free_space("/"))

    def test_listener(self) -> None:
        """The process that holds the listening socket says who the daemon is, not the service manager that made it."""
        proc = self.folder()
        (proc / "net").mkdir()
        line = "  0: 00000000:3D3E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0\n"
        (proc / "net/tcp").write_text("header\n" + line)
        for process, uid in (("1", 0), ("42", 970)):
            (proc / process / "fd").mkdir(parents=True)
            os.symlink("socket:[777]", proc / process / "fd" / "3")  # noqa: PTH211
            (proc / process / "status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t8\t8\t8\t8\nGroups:\t9 10 \n")
        self.assertEqual(listener(15678, proc), User(970, frozenset({8, 9, 10})))
        shutil.rmtree(proc / "42")
        self.assertIsNone(listener(15678, proc))
        self.assertIsNone(listener(15679, proc))

    def test_glob(self) -> None:
        """Patterns are expanded as glob(3) does: in order, escapes understood, the pattern itself where nothing matches."""
        path = self.folder()
        for name in ("b.conf", "a.conf", "[x].conf", ".hidden.conf"):
            (path / name).write_text(name)
        found = LocalFiles().expand(f"{path}/*.conf")
        self.assertEqual(sorted(found), sorted(f"{path}/{name}" for name in ("[x].conf", "a.conf", "b.conf")))
        self.assertEqual([Path(one).name for one in found if "[" not in one], ["a.conf", "b.conf"])
        self.assertEqual(LocalFiles().expand(f"{path}/\\[x].conf"), [f"{path}/[x].conf"])
        self.assertEqual(LocalFiles().expand("/nonexistent/*"), ["/nonexistent/*"])
        self.assertEqual(LocalFiles().read(f"{path}/a.conf"), "a.conf")
