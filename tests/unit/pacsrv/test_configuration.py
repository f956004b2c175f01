"""Tests for `pacserve.pacsrv.configuration`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.configuration import Line, compose, parse_line, parse_resolved, read_lines, read_sections
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


MAIN = "/etc/pacman.conf"
OURS = "Server = http://localhost:15678/request/$repo/$arch"
MIRRORS = "## mirrors\nServer = https://a.example/$repo/os/$arch\nServer = http://b.example/$repo\n"

LINES = st.sampled_from(
    [
        "[core]",
        "  [extra] ",
        "[options]",
        "# Server = http://no.example/",
        "",
        "Unknown = 1",
        "CheckSpace",
        "Server = http://a.example/$repo",
        "\tServer=https://b.example/$repo\r",
        "Server = file:///srv/$repo",
        OURS,
        "CacheServer = http://c.example/",
        "Include = /list",
        "Include = /nested",
        "Include = /repos.d/*",
    ]
)
TEXTS = st.builds("\n".join, st.lists(LINES, max_size=12))
# Every file includes only those behind it, so that the reference below comes to an end.
LEAVES = st.builds("\n".join, st.lists(LINES.filter(lambda line: not line.startswith("Include")), max_size=6))

Reading = list[tuple[str, str]]


def reference(files: FakeFiles, text: str) -> Reading:
    """What pacman reads, in its order: the directives with the section that they belong to, and each section; written from ini.c's rules."""
    found: Reading = []
    section = ""

    def parse(text: str) -> None:
        nonlocal section
        for line in text.split("\n"):
            bare = line.strip(" \t\n\v\f\r")
            if not bare or bare[0] == "#":
                continue
            if bare[0] == "[" and bare[-1] == "]":
                section = bare[1:-1]
                found.append((section, ""))
                continue
            key, equals, value = (part.strip() for part in bare.partition("="))
            if key == "Include":
                for path in files.expand(value):
                    parse(files.read(path))
            else:
                found.append((section, f"{key}{equals}{value}"))

    parse(text)
    return found


def repositories(reading: Reading) -> list[list[str]]:
    """The directives of each section, in order; each begins with its name."""
    found: list[list[str]] = []
    for section, directive in reading:
        if not directive:
            found.append([section])
        elif found:
            found[-1].append(directive)
    return found


def composed(texts: dict[str, str], *, knows: bool = True) -> str:
    """The text that is made of files."""
    return compose(MAIN, FakeFiles(texts), 15678, lambda: knows)


class ComposeTests(SynchronousTestCase):
    def test_every_repository(self) -> None:
        """The line comes before the first Server or Include of every repository; all else stays as it was, comments too."""
        text = (
            "# mine\n[options]\nCheckSpace\n\n[core]\nSigLevel = Optional\n# fast\nInclude = /list\n\n"
            "[custom]\nServer = https://c/\nInclude = /list\nOdd\n"
        )
        self.assertEqual(
            composed({MAIN: text, "/list": MIRRORS}),
            text.replace("Include = /list\n\n", f"{OURS}\nInclude = /list\n\n").replace("Server = https", f"{OURS}\nServer = https"),
        )

    def test_repositories_of_included_files(self) -> None:
        """Repositories that an included file declares get the line, too, and so does one that is included by that."""
        texts = {
            MAIN: "[options]\nInclude = /repos.d/*\n",
            "/repos.d/1": "[core]\nInclude = /list\n",
            "/repos.d/2": "Include = /inner",
            "/inner": "[extra]\nServer = http://a/",
            "/list": MIRRORS,
        }
        self.assertEqual(composed(texts), f"[options]\n[core]\n{OURS}\nInclude = /list\n[extra]\n{OURS}\nServer = http://a/\n")

    def test_already_there(self) -> None:
        """Where the user's own line comes first, in whatever spelling and file, nothing is inserted; where it comes later, it is."""
        own = "Server = http://127.0.0.1:15678/request/$repo/$arch/\n"
        for texts in ({MAIN: f"[core]\n{own}Include = /list\n", "/list": MIRRORS}, {MAIN: "[core]\nInclude = /list\n", "/list": own + MIRRORS}):
            self.assertEqual(composed(texts), texts[MAIN])
        late = {MAIN: f"[core]\nServer = http://a/\n{own}"}
        self.assertEqual(composed(late), f"[core]\n{OURS}\nServer = http://a/\n{own}")

    def test_cache_server(self) -> None:
        """Where pacserve is the CacheServer nothing is inserted, unless this pacman ignores CacheServer."""
        text = "[core]\nCacheServer = http://localhost:15678/request/$repo/$arch\nServer = http://a/\n"
        self.assertEqual(composed({MAIN: text}), text)
        self.assertIn(OURS, composed({MAIN: text}, knows=False))

    def test_nothing_to_serve(self) -> None:
        """Repositories on this disk, and those without Server, are left alone: pacserve knows nothing of them and would count as failed."""
        text = "[local]\nServer = file:///srv/repo\n[empty]\nSigLevel = Never\n"
        self.assertEqual(composed({MAIN: text}), text)

    def test_odd_bytes(self) -> None:
        """Bytes that are no UTF-8, and a missing line feed at the end, do no harm."""
        self.assertEqual(composed({MAIN: "# \udcff\n[core]\nServer = http://a/\udce4"}), f"# \udcff\n[core]\n{OURS}\nServer = http://a/\udce4\n")

    def test_absent(self) -> None:
        """A configuration that is not there is an error, not an empty one."""
        self.assertRaises(FileNotFoundError, composed, {})

    @given(TEXTS, TEXTS.filter(lambda text: "/nested" not in text), LEAVES, LEAVES)
    def test_same_but_for_the_first_server(self, main: str, nested: str, one: str, two: str) -> None:
        """pacman reads the same configuration, but that pacserve is the first Server of every repository with mirrors."""
        files = FakeFiles({MAIN: main, "/nested": nested, "/list": one, "/repos.d/1": two, "/repos.d/2": one})
        before = repositories(reference(files, main))
        after = repositories(reference(files, compose(MAIN, files, 15678, lambda: True)))
        ours = OURS.replace(" = ", "=")
        self.assertEqual(len(before), len(after))
        for old, new in zip(before, after, strict=True):
            servers = [directive for directive in old if directive.startswith("Server=")]
            if old[0] != "options" and any("=http" in server for server in servers):
                first = next(directive for directive in new if directive.startswith("Server="))
                self.assertEqual(first, ours)
                if servers[0] != ours:
                    new.remove(ours)
            self.assertEqual(old, new)


class ResolvedTests(SynchronousTestCase):
    def test_resolved(self) -> None:
        """A repository's own SigLevel counts instead of that of the options, and cache folders keep their order."""
        printed = "[options]\nCacheDir = /b\nCacheDir = /a\nSigLevel = PackageRequired\n[core]\nServer = x\n[free]\nSigLevel = PackageNever\n"
        resolved = parse_resolved(printed)
        self.assertEqual(resolved.cache_dirs, ("/b", "/a"))
        self.assertEqual(resolved.signature_levels, {"core": frozenset({"PackageRequired"}), "free": frozenset({"PackageNever"})})
        self.assertEqual(resolved.xfer_command, "")

    def test_xfer_command(self) -> None:
        """The command that downloads in pacman's place is that of the options."""
        printed = "[options]\nXferCommand = /usr/bin/curl -L -f -o %o %u\n[core]\nXferCommand = no\n"
        self.assertEqual(parse_resolved(printed).xfer_command, "/usr/bin/curl -L -f -o %o %u")
