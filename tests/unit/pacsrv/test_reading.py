"""Tests for `pacserve.pacsrv.reading`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.reading import Line, pacserve_port, pacserve_serves, parse_line, read_lines, read_sections
from tests.fakes.configuration import FakeFiles

MAIN = "/etc/pacman.conf"


class LineTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Sections, directives and comments are told apart as pacman does."""
        for text, section, key, value in (
            ("[core]", "core", "", None),
            ("  [core] \r", "core", "", None),
            (" Server = http://a/?b=c # d ", None, "Server", "http://a/?b=c # d"),
            ("CheckSpace", None, "CheckSpace", None),
            ("Include =", None, "Include", ""),
            ("#Server = x", None, "", None),
            ("  # [core]", None, "", None),
            ("[core] # not a section", None, "[core] # not a section", None),
            ("", None, "", None),
            ("\u00a0Server = x", None, "\u00a0Server", "x"),
        ):
            self.assertEqual(parse_line(text), Line(text, section, key, value))

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """No line is refused, and its text is kept."""
        self.assertEqual(parse_line(text).text, text)


class SectionsTests(SynchronousTestCase):
    def sections(self, **files: str) -> list[tuple[str, list[str]]]:
        """The repositories of files, with their Server lines."""
        known = FakeFiles({MAIN: files.pop("main"), **{f"/{name}": text for name, text in files.items()}})
        return [(section.name, section.servers) for section in read_sections(read_lines(MAIN, known), known)]

    def test_includes(self) -> None:
        """Servers of included files stand where the Include line does, also through a second Include."""
        found = self.sections(main="[core]\nServer = a\nInclude = /list\nServer = d\n", list="Server = b\nInclude = /more\n", more="Server = c\n")
        self.assertEqual(found, [("core", ["a", "b", "c", "d"])])

    def test_section_goes_on_behind_an_include(self) -> None:
        """A repository that begins in an included file goes on behind the Include line, as in pacman."""
        found = self.sections(main="[core]\nInclude = /list\nServer = c\n", list="Server = a\n[extra]\nServer = b\n")
        self.assertEqual(found, [("core", ["a"]), ("extra", ["b", "c"])])

    def test_options_are_no_repository(self) -> None:
        """A Server line among the options belongs to nobody."""
        self.assertEqual(self.sections(main="Server = a\n[options]\nServer = b\n[core]\n"), [("core", [])])

    def test_file_that_includes_itself(self) -> None:
        """A file that includes itself twice comes to an end."""
        files = FakeFiles({MAIN: "[core]\nServer = a\nInclude = /etc/pacman.conf\nInclude = /etc/pacman.conf\n"})
        self.assertTrue(read_sections(read_lines(MAIN, files), files))
        self.assertLess(files.reads, 5000)

    def test_unreadable_include(self) -> None:
        """An Include of a file that can't be read stays as it is, for pacman to complain of."""
        files = FakeFiles({MAIN: "[core]\nInclude = /absent\n"})
        self.assertEqual([line.text for line in read_lines(MAIN, files)], ["[core]", "Include = /absent"])


class ServerTests(SynchronousTestCase):
    def test_pacserve(self) -> None:
        """Lines to the pacserve of this host are known by every name of loopback; others are not."""
        for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "[::1]"):
            self.assertEqual(pacserve_port(f"http://{host}:15678/request/$repo/$arch"), 15678)
        self.assertEqual(pacserve_port("http://localhost/request/$repo/$arch/"), 80)
        for server in (
            "http://nas.lan:15678/request/$repo/$arch",
            "http://localhost:15678/repos/$repo/os/$arch",
            "https://localhost:15678/request/$repo/$arch",
            "http://localhost.example.org:15678/request/$repo/$arch",
            "http://localhost:99999/request/$repo/$arch",
            "http://[::1/request/$repo/$arch",
            "",
        ):
            self.assertIsNone(pacserve_port(server), server)

    def test_served(self) -> None:
        """pacserve is of use where there is an http or https mirror."""
        self.assertTrue(pacserve_serves(["file:///srv", "HTTPS://a/"]))
        self.assertFalse(pacserve_serves(["file:///srv", "ftp://a/"]))
