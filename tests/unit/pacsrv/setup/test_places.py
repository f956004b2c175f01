"""Tests for `pacserve.pacsrv.setup.places`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.configuration import read_lines, read_sections
from pacserve.pacsrv.setup.places import Configuration, Place, Texts, UnreadableError, read_configuration
from tests.fakes.configuration import FakeFiles

MAIN = "/etc/pacman.conf"
LINES = st.sampled_from(
    ["[core]", " [extra]\r", "[options]", "# c", "", "Server = http://a/", "Server=ftp://b/\r", "CacheServer = http://c/", "Server ="]
)
LEAF = st.builds("\n".join, st.lists(LINES, max_size=6))
NESTED = st.builds("\n".join, st.lists(LINES | st.just("Include = /leaf*"), max_size=6))
WHOLE = st.builds("\n".join, st.lists(LINES | st.sampled_from(["Include = /leaf1", "Include = /nested"]), max_size=8))


def read(texts: dict[str, str], links: dict[str, str] | None = None) -> Configuration:
    """The configuration that is made of files."""
    return read_configuration(MAIN, Texts(FakeFiles(texts), lambda path: (links or {}).get(path, path)))


class ReadingTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Each directive is known by its file and line, also through Includes."""
        found = read({MAIN: "# c\n[core]\nInclude = /list\nServer = b\n", "/list": "\nServer = a\n"})
        (core,) = found.repositories
        self.assertEqual(core.place, Place(MAIN, 1))
        self.assertEqual([(one.value, one.place) for one in core.servers], [("a", Place("/list", 1)), ("b", Place(MAIN, 3))])
        self.assertEqual([one.key for one in core.directives], ["Include", "Server", "Server"])
        self.assertEqual(found.files, [MAIN, "/list"])

    def test_links(self) -> None:
        """A file of two names is one file, named without links."""
        texts = {MAIN: "[core]\nInclude = /one\n[extra]\nInclude = /two\n", "/real": "Server = a\n"}
        found = read(texts, {"/one": "/real", "/two": "/real"})
        self.assertEqual({one.servers[0].place for one in found.repositories}, {Place("/real", 0)})
        self.assertEqual(found.files, [MAIN, "/real"])

    def test_unreadable(self) -> None:
        """A file that can't be read is named, the first as well as those that it includes."""
        self.assertIn("/etc/pacman.conf can't be read: no such file", str(self.assertRaises(UnreadableError, read, {})))
        self.assertIn("/absent/* can't be", str(self.assertRaises(UnreadableError, read, {MAIN: "[core]\nInclude = /absent/*\n"})))

    def test_file_that_includes_itself(self) -> None:
        """A file that includes itself twice comes to an end."""
        self.assertTrue(read({MAIN: f"[core]\nServer = a\nInclude = {MAIN}\nInclude = {MAIN}\n"}).repositories)

    @given(WHOLE, NESTED, LEAF, LEAF)
    def test_as_the_doctor_reads(self, main: str, nested: str, one: str, two: str) -> None:
        """The repositories and their servers are those that the doctor sees."""
        texts = {MAIN: main, "/nested": nested, "/leaf1": one, "/leaf2": two}
        files = FakeFiles(texts)
        seen = [(section.name, section.servers) for section in read_sections(read_lines(MAIN, files), files)]
        found = [(one.name, [server.value for server in one.servers]) for one in read(texts).repositories]
        self.assertEqual(found, [(name, list(filter(None, servers))) for name, servers in seen])
