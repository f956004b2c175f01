"""Tests for `pacserve.pacman.configuration`."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipUnless

from hypothesis import given
from hypothesis import strategies as st
from twisted.python.procutils import which
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.names import architecture
from pacserve.pacman.configuration import PacmanConfiguration, Repository, included, parse_configuration, repository_name

PRINTED = """\
[options]
RootDir = /
DBPath = /var/lib/pacman/
CacheDir = /var/cache/pacman/pkg/
CacheDir = /srv/pkg/
HoldPkg = pacman
Architecture = x86_64
Architecture = x86_64_v3
CheckSpace
[core]
Usage = All
Server = https://a.example.org/core/os/x86_64
Server = http://b.example.org/core/os/x86_64/
[extra]
Usage = All
"""
LINES = st.sampled_from(
    (*PRINTED.splitlines(), "[", "]", "[]", "[../x]", "[options", "Server", "Server =", "=", "Architecture = ../x A", "DBPath = x", "")
)
TEXTS = st.text() | st.lists(LINES | st.text(max_size=20), max_size=30).map("\n".join)


class PrintedTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Architectures, folders, repositories and servers are taken in the order in which they are printed."""
        self.assertEqual(
            parse_configuration(PRINTED),
            PacmanConfiguration(
                ("x86_64", "x86_64_v3"),
                ("/var/cache/pacman/pkg/", "/srv/pkg/"),
                "/var/lib/pacman/",
                {
                    "core": Repository("core", ("https://a.example.org/core/os/x86_64", "http://b.example.org/core/os/x86_64")),
                    "extra": Repository("extra", ()),
                },
            ),
        )

    def test_repeated(self) -> None:
        """A server or a cache that is named twice is used once."""
        configuration = parse_configuration(f"{PRINTED}Server = http://c/\nServer = http://c\n[options]\nCacheDir = /srv/pkg/\n")
        self.assertEqual(configuration.repositories["extra"].servers, ("http://c",))
        self.assertEqual(configuration.cache_dirs, ("/var/cache/pacman/pkg/", "/srv/pkg/"))

    def test_later_versions(self) -> None:
        """What later versions of pacman print does no harm."""
        more = "CacheServer = http://cache/\nDownloadUser = alpm\n[options]\nDownloadUser = alpm\nDisableSandbox\nCacheServer = http://cache\n"
        self.assertEqual(parse_configuration(PRINTED + more), parse_configuration(PRINTED))

    def test_odd_repository(self) -> None:
        """A repository whose name passes no grammar is left out, its servers with it."""
        for name in ("../x", "a b", "", ".hidden", "-x", "a/b"):
            configuration = parse_configuration(f"{PRINTED}[{name}]\nServer = http://odd\n")
            self.assertEqual(configuration, parse_configuration(PRINTED))

    def test_no_database_path(self) -> None:
        """What does not say where the databases are does not come from pacman-conf."""
        for text in ("", "[core]\nServer = http://x\n", "[options]\nDBPath = relative\n", "[core]\nDBPath = /x\n"):
            self.assertRaises(ValueError, parse_configuration, text)

    @given(TEXTS)
    def test_any_text(self, text: str) -> None:
        """Any text gives a ValueError or a configuration whose names pass their grammars and whose paths are absolute."""
        with contextlib.suppress(ValueError):
            configuration = parse_configuration(text)
            self.assertTrue(all(architecture(name) for name in configuration.architectures))
            self.assertTrue(all(path.startswith("/") for path in (configuration.database_dir, *configuration.cache_dirs)))
            for name, repository in configuration.repositories.items():
                self.assertTrue(repository_name(name) and repository.name == name != "options")
                self.assertTrue(all(url == url.strip() and not url.endswith("/") for url in repository.servers))


class IncludedTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Include lines are found wherever they stand, with any white space; comments and other keys are not."""
        text = "Include = /a\n#Include = /b\n\tInclude=/c d*  \r\n[core]\n Include  =  /e\nInclude =\nInclude\nIncludes = /f\nXInclude = /g\n"
        self.assertEqual(included(text), ["/a", "/c d*", "/e"])

    @given(TEXTS | st.lists(st.sampled_from(("Include", "=", " ", "\n", "/etc/*", "#", "\t", "\0"))).map("".join))
    def test_any_text(self, text: str) -> None:
        """Any text gives patterns without white space around them."""
        for pattern in included(text):
            self.assertTrue(pattern and pattern == pattern.strip())


@skipUnless(which("pacman-conf"), "pacman-conf is not installed")
class RealPacmanConfTests(SynchronousTestCase):
    """What the installed pacman-conf makes of real files."""

    def parse(self, files: Mapping[str, str]) -> PacmanConfiguration:
        """The configuration in `pacman.conf` beside the other files; `HERE` in any of them is their folder."""
        with TemporaryDirectory() as folder:
            for name, text in files.items():
                (Path(folder) / name).write_text(text.replace("HERE", folder))
            command = ["pacman-conf", "--config", f"{folder}/pacman.conf"]
            printed = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout
        return parse_configuration(printed.decode("utf-8", "surrogateescape"))

    def test_includes(self) -> None:
        """Servers keep the order of Server and Include lines, globs in the order of names, with repository and architecture filled in."""
        configuration = self.parse(
            {
                "pacman.conf": "[options]\nArchitecture = x86_64\n[core]\nServer = http://one/$repo\nInclude = HERE/list-*\nServer = http://four/\n"
                "[extra]\nInclude = HERE/list-b\n",
                "list-b": "# a comment\nServer = http://three/$repo/os/$arch\n",
                "list-a": "Server = https://two/$arch/$repo/\n",
            }
        )
        self.assertEqual(
            configuration.repositories["core"].servers, ("http://one/core", "https://two/x86_64/core", "http://three/core/os/x86_64", "http://four")
        )
        self.assertEqual(configuration.repositories["extra"].servers, ("http://three/extra/os/x86_64",))

    def test_architectures(self) -> None:
        """Of several architectures all are known, and the first one stands in the servers."""
        configuration = self.parse({"pacman.conf": "[options]\nArchitecture = x86_64_v3 x86_64\n[core]\nServer = http://one/$arch\n"})
        self.assertEqual(configuration.architectures, ("x86_64_v3", "x86_64"))
        self.assertEqual(configuration.repositories["core"].servers, ("http://one/x86_64_v3",))

    def test_automatic_architecture(self) -> None:
        """The machine's own architecture is named, not the word auto."""
        self.assertEqual(self.parse({"pacman.conf": "[options]\nArchitecture = auto\n"}).architectures, (os.uname().machine,))

    def test_unknown_keys(self) -> None:
        """Keys and CacheServer lines of another version, and a repository without a server, do no harm."""
        configuration = self.parse(
            {
                "pacman.conf": "[options]\nArchitecture = any\nTomorrow = 1\nDownloadUser = alpm\n"
                "[core]\nCacheServer = http://localhost:15678/request/$repo/$arch\nServer = http://one\nWhatever\n[bare]\nSigLevel = Never\n"
            }
        )
        self.assertEqual(configuration.repositories, {"core": Repository("core", ("http://one",)), "bare": Repository("bare", ())})

    def test_folders(self) -> None:
        """The folders that pacman uses by itself are known when the file does not name any, and those that it names when it does."""
        configuration = self.parse({"pacman.conf": "[options]\n"})
        self.assertEqual((configuration.database_dir, configuration.cache_dirs), ("/var/lib/pacman/", ("/var/cache/pacman/pkg/",)))
        configuration = self.parse({"pacman.conf": "[options]\nDBPath = HERE/db\nCacheDir = /a /b\nCacheDir = /c\n"})
        self.assertEqual([path.rstrip("/") for path in configuration.cache_dirs], ["/a", "/b", "/c"])
        self.assertTrue(configuration.database_dir.rstrip("/").endswith("/db"))
