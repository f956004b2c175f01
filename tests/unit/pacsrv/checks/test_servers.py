"""Tests for `pacserve.pacsrv.checks.servers`: each fault is seen, and what is well is left alone."""

import dataclasses

from pacserve.pacsrv.checks.servers import check_cache_servers, check_folders, check_schemes, check_servers
from pacserve.pacsrv.configuration import Section
from pacserve.pacsrv.facts import AptFacts, Facts
from pacserve.report.status import AptStatus, FolderStatus
from tests.fakes.statuses import NOW, status
from tests.unit.pacsrv.checks.case import CheckCase

OURS = "http://localhost:15678/request/$repo/$arch"


def sections(**repos: list[str]) -> tuple[Section, ...]:
    """Repositories with these Server lines."""
    return tuple(Section(name, 0, servers) for name, servers in repos.items())


class ServersTests(CheckCase):
    def test_servers(self) -> None:
        """pacserve must come first in all repositories with mirrors, or in none: then pacsrv alone uses it."""
        for repos, levels in (
            ({"core": [OURS, "http://a"], "local": ["file:///srv"]}, "ok"),
            ({"core": ["http://a"]}, "warning"),
            ({"core": [OURS, "http://a"], "extra": ["http://a"]}, "wrong"),
            ({"core": ["http://a", OURS]}, "wrong"),
            ({"core": [OURS.replace("15678", "15680"), OURS, "http://a"]}, "wrong wrong"),
            ({"local": ["file:///srv"]}, "warning"),
            ({"core": [OURS, OURS, "http://a"]}, "warning"),
            ({"core": [OURS.replace("15678", "15680"), "http://a"]}, "wrong"),
            ({"core": [OURS, "http://a"], "local": [OURS, "file:///srv"]}, "ok"),
            ({"core": [OURS + "_v3", "http://a"], "extra": [OURS + "_v3", "http://a"]}, "wrong"),
            ({"core": [OURS.replace("http", "https"), "http://a"], "extra": [OURS, "http://a"]}, "wrong"),
            ({"core": [OURS.replace("/request", ""), "http://a"], "extra": ["http://a"]}, "wrong wrong"),
        ):
            sections = tuple(Section(name, 0, urls) for name, urls in repos.items())
            self.assertEqual(self.found(check_servers, sections=sections), levels, repos)
        self.assertEqual(self.found(check_servers, unreadable="permission denied"), "wrong")
        without = status(no_pacman="there is no /etc/pacman.conf")
        self.assertEqual(self.found(check_servers, unreadable="no such file", status=without), "ok")

    def test_apt(self) -> None:
        """A pacman that was installed and has no repository is none that is missing anything, where pacserve is there for apt."""
        apt = AptStatus(9988, (), 0, 0, 0, 0)
        self.assertEqual(self.found(check_servers, sections=(), status=dataclasses.replace(status(), apt=apt)), "ok")
        self.assertEqual(self.found(check_servers, sections=(), apt=AptFacts(wanted=True)), "ok")
        self.assertEqual(self.found(check_servers, sections=()), "warning")

    def test_cache_server(self) -> None:
        """CacheServer is of no use to pacman 6.0, and one role is enough."""
        alone, both = Section("core", 0, ["http://a"], [OURS]), Section("core", 0, [OURS, "http://a"], [OURS])
        self.assertEqual(self.found(check_cache_servers, sections=(alone,), pacman=(6, 0)), "wrong")
        self.assertEqual(self.found(check_cache_servers, sections=(alone,), pacman=(6, 1)), "ok")
        self.assertEqual(self.found(check_cache_servers, sections=(both,), pacman=(7, 0)), "warning")
        self.assertEqual(self.found(check_servers, sections=(alone,)), "ok")

    def test_right_line(self) -> None:
        """What is wrong with a line is told once for all repositories that have it, with the line to write."""
        wrong = OURS + "_v3"
        (finding,) = check_servers(Facts(15678, NOW, sections=sections(core=[wrong, "http://a"], extra=[wrong, "http://a"])))
        self.assertIn("$arch_v3 in core, extra", finding.text)
        self.assertEqual(finding.cure, f'run pacsrv setup, or write "Server = {OURS}"')
        (finding,) = check_servers(Facts(15678, NOW, sections=(Section("core", 0, ["http://a"], [wrong]),)))
        self.assertEqual(finding.cure, f'write "CacheServer = {OURS}"')

    def test_setup(self) -> None:
        """Where setup mends it, the cure is setup, for the port and the configuration that were examined; where it does not, setup is not named."""
        for servers, mended in (
            (["http://a"], True),
            (["http://a", OURS], True),
            ([OURS, OURS, "http://a"], True),
            ([OURS.replace("15678", "15680"), "http://a"], True),
            (["http://nas:15678/request/$repo/$arch_v3"], False),
            ([], False),
        ):
            (finding,) = check_servers(Facts(15678, NOW, sections=sections(core=servers)))
            self.assertEqual("pacsrv setup" in finding.cure, mended, servers)
        (finding,) = check_schemes(Facts(15678, NOW, sections=sections(core=[OURS, "ftp://a/"])))
        self.assertIn("pacsrv setup", finding.cure)
        (finding,) = check_servers(Facts(15680, NOW, configuration="/x", sections=sections(core=["http://a"])))
        self.assertIn("run pacsrv --port 15680 setup --config /x, or", finding.cure)

    def test_schemes(self) -> None:
        """Mirrors that pacserve can't ask are wrong where it has pacserve's line and no other; where pacman asks them alone all is well."""
        for servers, levels in (
            (["ftp://a/", "rsync://b/"], ""),
            ([OURS, "ftp://a/"], "wrong"),
            ([OURS, "ftp://a/", "rsync://b/"], "wrong"),
            ([OURS], "wrong"),
            ([OURS, "ftp://a/", "http://a/"], "warning"),
            ([OURS, "ftp://a/", "file:///srv"], "warning"),
            ([OURS, "file:///srv"], ""),
            ([OURS, "https://a/"], ""),
        ):
            self.assertEqual(self.found(check_schemes, sections=sections(core=servers)), levels, servers)
        self.assertEqual(self.found(check_schemes), "")

    def test_folders(self) -> None:
        """A repository of this host that the daemon can't read is wrong, if pacman asks pacserve for it."""
        now = dataclasses.replace(status(), folders=(FolderStatus("local", "/srv", ""), FolderStatus("mine", "/home/me", "permission denied")))
        both = sections(local=[OURS, "file:///srv"], mine=[OURS, "file:///home/me"])
        self.assertEqual(self.found(check_folders, sections=both, status=now), "wrong ok")
        self.assertEqual(self.found(check_folders, sections=sections(mine=["file:///home/me"]), status=now), "")
        self.assertEqual(self.found(check_folders, sections=both), "")
