"""Tests for `pacserve.pacsrv.checks.configuration`: each fault is seen, and what is well is left alone."""

from pacserve.pacsrv.checks.configuration import check_cache_servers, check_servers, check_signatures
from pacserve.pacsrv.configuration import Section
from tests.fakes.statuses import status
from tests.unit.pacsrv.checks.case import CheckCase

OURS = "http://localhost:15678/request/$repo/$arch"


class ConfigurationTests(CheckCase):
    def test_servers(self) -> None:
        """pacserve must come first in all repositories with mirrors, or in none: then pacsrv alone uses it."""
        for repos, levels in (
            ({"core": [OURS, "http://a"], "local": ["file:///srv"]}, "ok"),
            ({"core": ["http://a"]}, "warning"),
            ({"core": [OURS, "http://a"], "extra": ["http://a"]}, "wrong"),
            ({"core": ["http://a", OURS]}, "wrong"),
            ({"core": [OURS.replace("15678", "15680"), OURS, "http://a"]}, "wrong wrong"),
            ({"local": ["file:///srv"]}, "warning"),
        ):
            sections = tuple(Section(name, 0, urls) for name, urls in repos.items())
            self.assertEqual(self.found(check_servers, sections=sections), levels, repos)
        self.assertEqual(self.found(check_servers, unreadable="permission denied"), "wrong")
        without = status(no_pacman="there is no /etc/pacman.conf")
        self.assertEqual(self.found(check_servers, unreadable="no such file", status=without), "ok")

    def test_cache_server(self) -> None:
        """CacheServer is of no use to pacman 6.0, and one role is enough."""
        alone, both = Section("core", 0, ["http://a"], [OURS]), Section("core", 0, [OURS, "http://a"], [OURS])
        self.assertEqual(self.found(check_cache_servers, sections=(alone,), pacman=(6, 0)), "wrong")
        self.assertEqual(self.found(check_cache_servers, sections=(alone,), pacman=(6, 1)), "ok")
        self.assertEqual(self.found(check_cache_servers, sections=(both,), pacman=(7, 0)), "warning")
        self.assertEqual(self.found(check_servers, sections=(alone,)), "ok")

    def test_signatures(self) -> None:
        """Repositories whose packages may be anybody's are named."""
        for words, level in (({"PackageNever"}, "warning"), ({"PackageRequired", "PackageTrustAll"}, "warning"), ({"PackageRequired"}, "ok")):
            self.assertEqual(self.found(check_signatures, signature_levels={"core": frozenset(words)}), level)
