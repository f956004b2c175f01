"""Tests for `tools.installing.tree`."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from tools.installing.files import Placed, Places
from tools.installing.tree import Tree, uninstall

CONFIGURATION = PurePosixPath("/etc/conf.d/pacserve")
OPTIONS = Placed("contrib/conf.d/pacserve", CONFIGURATION, configuration=True)
OTHER_OPTIONS = Placed("contrib/pacman.d/pacserve", CONFIGURATION, configuration=True)  # as if a later version had these
SCRIPT = Placed("contrib/pacserve-static", PurePosixPath("/usr/share/pacserve/pacserve-static"), executable=True)
APT = Placed("contrib/apt/30pacserve", PurePosixPath("/etc/apt/apt.conf.d/30pacserve"), configuration=True)
APT_SCRIPT = Placed("contrib/apt/pacserve-proxy", PurePosixPath("/etc/apt/pacserve-proxy"), executable=True, configuration=True)


class TreeTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.places = Places(PurePosixPath("/usr"), PurePosixPath("/etc"), str(self.root.resolve()))
        self.said: list[str] = []
        self.options = self.places.real(CONFIGURATION)

    def install(self, *files: Placed) -> None:
        tree = Tree(self.places, self.said.append)
        for file in files:
            tree.put(file)
        tree.finish()

    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir())

    def test_there_and_gone(self) -> None:
        """Files are readable by all, scripts can be started, and nothing is left after they are removed."""
        self.install(OPTIONS, SCRIPT)
        self.assertEqual(self.left(), ["etc/conf.d/pacserve", "usr/share/pacserve/manifest", "usr/share/pacserve/pacserve-static"])
        self.assertEqual([self.places.real(file.target).stat().st_mode & 0o777 for file in (OPTIONS, SCRIPT)], [0o644, 0o755])
        self.assertTrue(uninstall(self.places, self.said.append))
        self.assertEqual((list(self.root.iterdir()), self.said), ([], []))

    def test_nothing_there(self) -> None:
        """Where nothing is installed nothing is removed."""
        self.assertFalse(uninstall(self.places, self.said.append))

    def test_folders_of_others(self) -> None:
        """Folders that were there before stay, also when they are empty, and those that something else was put into."""
        (self.root / "usr/share").mkdir(parents=True)
        self.install(OPTIONS, SCRIPT)
        (self.root / "etc/conf.d/other").write_text("")
        self.install(OPTIONS, SCRIPT)
        uninstall(self.places, self.said.append)
        self.assertEqual(self.left(), ["etc/conf.d/other"])
        self.assertEqual(list((self.root / "usr").iterdir()), [self.root / "usr/share"])

    def test_changed_configuration(self) -> None:
        """Configuration that the user has changed is neither overwritten, however often, nor removed; the user is told."""
        self.install(OPTIONS)
        self.options.write_text("mine")
        for file in (OPTIONS, OTHER_OPTIONS, OTHER_OPTIONS):
            self.install(file)
            self.assertEqual(self.options.read_text(), "mine")
        self.assertEqual(len(self.said), 3)
        uninstall(self.places, self.said.append)
        self.assertEqual((self.left(), len(self.said)), (["etc/conf.d/pacserve"], 4))

    def test_unchanged_configuration(self) -> None:
        """Configuration that the user has not changed is that of the newest version."""
        self.install(OPTIONS)
        self.install(OTHER_OPTIONS)
        self.assertEqual((self.options.read_bytes(), self.said), (OTHER_OPTIONS.content(), []))
        uninstall(self.places, self.said.append)
        self.assertEqual(self.left(), [])

    def test_own_configuration(self) -> None:
        """Configuration that was there before pacserve stays, whether it is a file or a link."""
        self.options.parent.mkdir(parents=True)
        self.options.symlink_to("nowhere")
        self.install(OPTIONS)
        uninstall(self.places, self.said.append)
        self.assertTrue(self.options.is_symlink())

    def test_taken_back(self) -> None:
        """A configuration that the user has changed back to the one that was installed is removed."""
        self.install(OPTIONS)
        self.options.write_text("mine")
        self.install(OPTIONS)
        self.options.write_bytes(OPTIONS.content())
        uninstall(self.places, self.said.append)
        self.assertEqual(self.left(), [])

    def test_named_file(self) -> None:
        """What a changed configuration names stays with it, by an uninstallation as by an installation without it; both go when both may."""
        self.install(APT_SCRIPT, APT)
        place, before = self.places.real(APT.target), APT.content()
        place.write_bytes(before + b"// mine\n")
        self.install(OPTIONS)
        self.assertTrue({"etc/apt/apt.conf.d/30pacserve", "etc/apt/pacserve-proxy"} <= set(self.left()))
        self.assertIn("/etc/apt/pacserve-proxy stays: it is named in a file that stays.", self.said)
        self.install(APT_SCRIPT, APT)
        uninstall(self.places, self.said.append)
        self.assertEqual(self.left(), ["etc/apt/apt.conf.d/30pacserve", "etc/apt/pacserve-proxy"])
        place.write_bytes(before)
        self.install(APT_SCRIPT, APT)
        uninstall(self.places, self.said.append)
        self.assertEqual(self.left(), [])

    def test_named_file_goes_last(self) -> None:
        """While files are taken away no configuration names a script that has gone already."""
        self.install(APT_SCRIPT, APT)
        seen: list[bool] = []
        unlink = Path.unlink

        def watched(path: Path, **options: bool) -> None:
            unlink(path, **options)
            seen.append(self.places.real(APT.target).exists() <= self.places.real(APT_SCRIPT.target).exists())

        self.patch(Path, "unlink", watched)
        uninstall(self.places, self.said.append)
        self.assertEqual((self.left(), set(seen)), ([], {True}))

    def test_no_longer_installed(self) -> None:
        """What a later version does not have is removed when that is installed."""
        tree = Tree(self.places, self.said.append)
        folder = PurePosixPath("/usr/lib/pacserve")
        (tree.folder(folder) / "module.py").write_text("")
        tree.claim_tree(folder)
        tree.link(PurePosixPath("/usr/bin/pacserve"), folder / "module.py")
        tree.put(OPTIONS)
        tree.finish()
        self.install(SCRIPT)
        self.assertEqual(self.left(), ["usr/share/pacserve/manifest", "usr/share/pacserve/pacserve-static"])

    def test_folders_are_not_ours(self) -> None:
        """No folder is made or removed above DESTDIR."""
        self.install(OPTIONS)
        uninstall(self.places, self.said.append)
        self.assertTrue(self.root.is_dir())
