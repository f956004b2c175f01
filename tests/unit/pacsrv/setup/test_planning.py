"""Tests for `pacserve.pacsrv.setup.planning`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.checks.servers import check_schemes, check_servers
from pacserve.pacsrv.configuration import read_lines, read_sections
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Level
from pacserve.pacsrv.setup.lines import DISABLING, MARK
from pacserve.pacsrv.setup.places import Texts, UnreadableError
from pacserve.pacsrv.setup.planning import MIRRORLIST, Change, Planner, diff
from tests.fakes.configuration import FakeFiles
from tests.fakes.statuses import NOW

MAIN = "/etc/pacman.conf"
OURS = "Server = http://localhost:15678/request/$repo/$arch"
PAIR = f"{MARK}\n{OURS}\n"
MIRRORS = "## mirrors\n#Server = http://z.example/\nServer = https://a.example/$repo/os/$arch\n"

SERVERS = st.sampled_from(
    [
        "Server = http://a.example/$repo",
        "  Server=https://b.example/$arch_v3/$repo\r",
        "Server = file:///srv/$repo",
        "Server = ftp://c.example/",
        OURS,
        OURS.replace("localhost", "127.0.0.1"),
        OURS.replace("15678", "15680"),
        f"{OURS}_v3",
        "# Server = http://no.example/",
        "",
    ]
)
LIST = st.builds("\n".join, st.lists(SERVERS, max_size=4))
LISTS = [f"Include = {MIRRORLIST}", "Include = /etc/pacman.d/other", "Include = /etc/pacman.d/l2"]


def sections(includes: list[str]) -> st.SearchStrategy[str]:
    """Sections with some lines each."""
    return st.builds(
        lambda name, lines: "\n".join([f"[{name}]", *lines]),
        st.sampled_from(["core", "extra", "mine", "options"]),
        st.lists(SERVERS | st.sampled_from(includes), max_size=4),
    )


FILES = st.fixed_dictionaries(
    {
        MAIN: st.builds("\n".join, st.lists(sections([*LISTS, "Include = /etc/pacman.d/l*"]), max_size=4)),
        MIRRORLIST: LIST,
        "/etc/pacman.d/other": LIST,
        "/etc/pacman.d/l1": sections(LISTS),
        "/etc/pacman.d/l2": LIST,
    }
)


def planner(texts: dict[str, str], port: int = 15678, *, knows: bool = True) -> Planner:
    """A planner for files."""
    return Planner(MAIN, Texts(FakeFiles(texts), lambda path: path), port, lambda: knows)


def after(texts: dict[str, str], changes: tuple[Change, ...]) -> dict[str, str]:
    """The files after changes."""
    return {**texts, **{change.path: change.after or "" for change in changes}}


def set_up(texts: dict[str, str], port: int = 15678, *, knows: bool = True) -> dict[str, str]:
    """The files after a setup."""
    return after(texts, planner(texts, port, knows=knows).setup().changes)


def undone(texts: dict[str, str]) -> dict[str, str]:
    """The files after an undo."""
    return after(texts, planner(texts).undo().changes)


def wrong(texts: dict[str, str]) -> list[str]:
    """What the doctor calls wrong in files."""
    files = FakeFiles(texts)
    facts = Facts(15678, NOW, sections=tuple(read_sections(read_lines(MAIN, files), files)))
    return [one.text for check in (check_servers, check_schemes) for one in check(facts) if one.level is Level.WRONG]


class SetupTests(SynchronousTestCase):
    def test_mirrorlist(self) -> None:
        """A mirrorlist has the line at its top, above mirrors that are commented out, once for all repositories that include it."""
        texts = {MAIN: f"[core]\nInclude = {MIRRORLIST}\n[extra]\nInclude = {MIRRORLIST}\n", MIRRORLIST: MIRRORS}
        plan = planner(texts).setup()
        self.assertEqual([(change.path, change.after) for change in plan.changes], [(MIRRORLIST, PAIR + MIRRORS)])
        self.assertEqual((plan.served, plan.left), (("core", "extra"), ()))

    def test_own_mirrors(self) -> None:
        """A repository with Server lines of its own has the line before them, a commented repository has none."""
        texts = {MAIN: "#[core]\n#Server = http://a/\n[mine]\nSigLevel = Never\n# fast\nServer = http://a/$arch_v3"}
        self.assertEqual(set_up(texts)[MAIN], f"#[core]\n#Server = http://a/\n[mine]\nSigLevel = Never\n# fast\n{PAIR}Server = http://a/$arch_v3")

    def test_line_ends(self) -> None:
        """A file of CRLF lines stays one."""
        texts = {MAIN: "[core]\r\nServer = http://a/\r\n"}
        self.assertEqual(set_up(texts)[MAIN].count("\n"), set_up(texts)[MAIN].count("\r\n"))

    def test_included_repositories(self) -> None:
        """Repositories in included files have the line in their section there, and a list within a list has it where the mirrors are."""
        texts = {
            MAIN: "[options]\nInclude = /opt\n",
            "/opt": "CheckSpace\nInclude = /repos/*\n",
            "/repos/a": "[a]\nServer = http://a/\n",
            "/repos/b": "[b]\nInclude = /outer\n",
            "/outer": "Include = /inner\n",
            "/inner": "Server = http://b/\n",
        }
        found = set_up(texts)
        self.assertEqual({path for path, text in found.items() if MARK in text}, {"/repos/a", "/inner"})
        self.assertEqual(found["/repos/a"], f"[a]\n{PAIR}Server = http://a/\n")

    def test_nothing_to_do(self) -> None:
        """pacserve first by whoever's hand, by any spelling of this host, as a CacheServer, or by an Include of its file: nothing is changed."""
        for main in (
            f"[core]\n{OURS}\nInclude = {MIRRORLIST}\n",
            f"[core]\n{OURS.replace('localhost', '[::1]')}\nInclude = {MIRRORLIST}\n",
            f"[core]\nCache{OURS}\nInclude = {MIRRORLIST}\n",
            f"[core]\nInclude = /etc/pacman.d/pacserve\nInclude = {MIRRORLIST}\n",
            "[options]\nCheckSpace\n",
            "",
        ):
            self.assertEqual(planner({MAIN: main, MIRRORLIST: MIRRORS, "/etc/pacman.d/pacserve": f"# c\n{OURS}\n"}).setup().changes, (), main)

    def test_old_pacman(self) -> None:
        """A CacheServer is of no use to a pacman that does not know it."""
        texts = {MAIN: f"[core]\nCache{OURS}\nServer = http://a/\n"}
        self.assertEqual(set_up(texts, knows=False)[MAIN], f"[core]\nCache{OURS}\n{PAIR}Server = http://a/\n")

    def test_not_served(self) -> None:
        """Repositories without an http or https mirror need no line, and lose one where pacman would give pacserve up by it."""
        texts = {MAIN: "[local]\nServer = file:///srv\n[old]\nServer = ftp://a/\n[empty]\n"}
        plan = planner(texts).setup()
        self.assertEqual((plan.changes, plan.served), ((), ()))
        texts = {MAIN: f"[old]\n{OURS}\nServer = ftp://a/\n[alone]\n{OURS}\n[local]\n{OURS}\nServer = file:///srv\n"}
        self.assertEqual(
            set_up(texts)[MAIN], f"[old]\n{DISABLING}{OURS}\nServer = ftp://a/\n[alone]\n{OURS}\n[local]\n{OURS}\nServer = file:///srv\n"
        )

    def test_list_for_both(self) -> None:
        """Where the top of a list would bring pacserve into a repository that must not have it, the line stands in the section instead."""
        texts = {MAIN: "[core]\nInclude = /a\nInclude = /b\n[old]\nInclude = /a\n", "/a": "Server = ftp://a/\n", "/b": "Server = http://b/\n"}
        found = set_up(texts)
        self.assertEqual(found, {**texts, MAIN: f"[core]\n{PAIR}Include = /a\nInclude = /b\n[old]\nInclude = /a\n"})

    def test_never_twice(self) -> None:
        """Of lists that include each other no repository has pacserve twice."""
        texts = {MAIN: "[core]\nInclude = /a\n[extra]\nInclude = /b\n", "/a": "Server = http://a/\nInclude = /b\n", "/b": "Server = http://b/\n"}
        files = FakeFiles(set_up(texts))
        for section in read_sections(read_lines(MAIN, files), files):
            self.assertEqual([server.startswith("http://localhost") for server in section.servers].index(True), 0)
            self.assertEqual(sum("localhost" in server for server in section.servers), 1, section.name)

    def test_line_elsewhere(self) -> None:
        """A line of the user behind the mirrors, with a mistake, or with another port becomes a comment, and the right one comes first."""
        for line in (OURS, OURS.replace("15678", "15680"), f"{OURS}_v3", OURS.replace("http:", "https:")):
            texts = {MAIN: f"[core]\nServer = http://a/\n{line}\n"}
            self.assertEqual(set_up(texts)[MAIN], f"[core]\n{PAIR}Server = http://a/\n{DISABLING}{line}\n")
            self.assertEqual(undone(set_up(texts)), texts)

    def test_other_hosts(self) -> None:
        """Lines for the pacserve of another host are mirrors as any other."""
        texts = {MAIN: f"[core]\n{OURS.replace('localhost', 'nas.lan')}\n"}
        self.assertEqual(set_up(texts)[MAIN], f"[core]\n{PAIR}{OURS.replace('localhost', 'nas.lan')}\n")

    def test_other_port(self) -> None:
        """A setup with another port takes the place of the first."""
        texts = {MAIN: f"[core]\nInclude = {MIRRORLIST}\n", MIRRORLIST: MIRRORS}
        self.assertEqual(set_up(set_up(texts), 15680), set_up(texts, 15680))
        self.assertIn(":15680/", set_up(texts, 15680)[MIRRORLIST])

    def test_left(self) -> None:
        """A repository that no line of pacserve's mends is named."""
        texts = {MAIN: "[core]\nInclude = /a\nInclude = /a\n", "/a": f"{OURS}\nServer = http://a/\n"}
        self.assertEqual(planner(texts).setup().left, ("core",))

    def test_unreadable(self) -> None:
        """A file that can't be read ends the planning."""
        self.assertRaises(UnreadableError, planner({MAIN: "[core]\nInclude = /absent\n"}).setup)
        self.assertRaises(UnreadableError, planner({}).undo)

    @given(FILES)
    def test_there_and_back(self, texts: dict[str, str]) -> None:
        """Whatever the files, undo gives them back byte by byte, and a second setup or undo has nothing to do."""
        found = set_up(texts)
        self.assertEqual(set_up(found), found)
        self.assertEqual(undone(found), texts)
        self.assertEqual(undone(texts), texts)

    @given(FILES)
    def test_doctor(self, texts: dict[str, str]) -> None:
        """After a setup the doctor finds nothing wrong, but for what setup names as left."""
        plan = planner(texts).setup()
        found = wrong(after(texts, plan.changes))
        self.assertFalse(found and not plan.left, found)

    @given(FILES)
    def test_no_harm(self, texts: dict[str, str]) -> None:
        """No repository loses or gains a mirror."""

        def mirrors(texts: dict[str, str]) -> list[tuple[str, list[str]]]:
            files = FakeFiles(texts)
            sections = read_sections(read_lines(MAIN, files), files)
            return [(one.name, [server for server in one.servers if "/request/" not in server]) for one in sections]

        self.assertEqual(mirrors(set_up(texts)), mirrors(texts))


class UndoTests(SynchronousTestCase):
    def test_mirrorlist_of_former_times(self) -> None:
        """The mirrorlist is undone, too, where pacman.conf does not include it any more; without one there is nothing to do."""
        texts = {MAIN: "[core]\nServer = http://a/\n", MIRRORLIST: PAIR + MIRRORS}
        self.assertEqual(undone(texts)[MIRRORLIST], MIRRORS)
        self.assertEqual(planner({MAIN: "[core]\nServer = http://a/\n"}).undo().changes, ())


class DiffTests(SynchronousTestCase):
    def test_diff(self) -> None:
        """The diff has no line ends of its own, whichever the file has."""
        lines = diff(Change("/a", "x\r\ny\n", "x\r\nz\ny\n"))
        self.assertEqual(lines, ["--- /a", "+++ /a", "@@ -1,2 +1,3 @@", " x", "+z", " y"])
