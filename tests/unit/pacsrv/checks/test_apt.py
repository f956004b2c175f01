"""Tests for `pacserve.pacsrv.checks.apt`: each fault is seen, and a host that does not use apt's front is left alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from pacserve.pacsrv.checks.apt import check_apt, check_lists, check_proxies
from pacserve.pacsrv.checks.servers import check_servers
from pacserve.pacsrv.facts import AptFacts, Facts, Folder
from pacserve.pacsrv.finding import Check
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT
from tests.fakes.statuses import NOW
from tests.unit.pacsrv.checks.case import CheckCase

URL = "http://127.0.0.1:9988"
LISTS = Folder("/var/lib/apt/lists")
# As a setup leaves it, and after the first update.
WELL = AptFacts(wanted=True, configured=True, detector=APT_SCRIPT, proxy=URL, silence="", lists=LISTS)
# A package that was installed, with options that say nothing of apt.
UNUSED = AptFacts(configured=True, detector=APT_SCRIPT, silence="no program listens there")


class AptTests(CheckCase):
    def judged(self, check: Check, apt: AptFacts | None, silence: str = "", **changes: Any) -> str:
        """The levels of what a check finds."""
        return self.found(check, silence=silence, apt=apt if apt is None else dataclasses.replace(apt, **changes))

    def all(self, apt: AptFacts | None, silence: str = "", **changes: Any) -> str:
        """The levels of what all three find."""
        return " ".join(filter(None, (self.judged(check, apt, silence, **changes) for check in (check_apt, check_proxies, check_lists))))

    def test_quiet(self) -> None:
        """Nothing is said of apt on a host that has none, or whose pacserve has nothing to do with it."""
        self.assertEqual(self.all(None), "")
        self.assertEqual(self.all(AptFacts()), "")
        self.assertEqual(self.all(AptFacts(proxies={"": "http://proxy:3128"}, detector="/usr/bin/auto-apt-proxy", silence="none")), "")

    def test_well(self) -> None:
        """A host that is set up has one line for its configuration and one for its lists."""
        self.assertEqual(self.all(WELL), "ok ok")
        self.assertEqual(self.all(UNUSED), "ok")

    def test_script(self) -> None:
        """A script that can't be used is wrong, whatever else is: apt fails. The cure mends it."""
        for apt in (WELL, UNUSED):
            self.assertEqual(self.judged(check_apt, apt, fault="it is missing", proxy=""), "wrong")
        (finding,) = check_apt(Facts(15678, NOW, apt=dataclasses.replace(WELL, fault="it is missing")))
        self.assertIn("pacsrv setup --apt", finding.cure)
        self.assertIn(f"rm {APT_CONFIGURATION}", finding.cure)

    def test_port(self) -> None:
        """A port that does not answer is wrong where apt asks there or the options want it, unless the whole daemon is down."""
        self.assertEqual(self.judged(check_apt, WELL, silence="", proxy=URL), "ok")
        self.assertEqual(self.found(check_apt, apt=dataclasses.replace(WELL, silence="no answer within 5 s")), "wrong")
        self.assertEqual(self.found(check_apt, apt=dataclasses.replace(WELL, proxy="", silence="no program listens there")), "wrong")
        self.assertEqual(self.found(check_apt, silence="down", apt=dataclasses.replace(WELL, proxy="", silence="no program listens there")), "")

    def test_other_configuration(self) -> None:
        """Where pacserve answers and apt does not ask it, or waits for it, that is said with what to do."""
        self.assertEqual(self.judged(check_apt, WELL, proxy=""), "wrong")
        self.assertEqual(self.judged(check_apt, WELL, detector="", proxy=""), "warning")
        self.assertEqual(self.judged(check_apt, WELL, detector="/usr/bin/auto-apt-proxy", proxy=""), "warning")
        self.assertEqual(self.judged(check_apt, WELL, detector="", proxy="", proxies={"": f"{URL}/"}), "warning")

    def test_proxies(self) -> None:
        """Proxies of single hosts keep apt from pacserve; one for all hosts is the daemon's business, too."""
        self.assertEqual(self.judged(check_proxies, WELL, proxies={"deb.debian.org": "DIRECT"}), "warning")
        self.assertEqual(self.judged(check_proxies, WELL, proxies={"": "http://proxy:3128"}), "warning")
        self.assertEqual(self.judged(check_proxies, WELL, proxies={"": "http://proxy:3128"}, daemon_proxy=True), "")
        self.assertEqual(self.judged(check_proxies, UNUSED, proxies={"": "http://proxy:3128"}), "")

    def test_unknown(self) -> None:
        """A source that the daemon does not know is named."""
        self.assertEqual(self.judged(check_proxies, WELL, unknown=("http://mirror.example/debian",)), "warning")

    def test_https(self) -> None:
        """Sources of https are no fault; it is said how they are shared."""
        (finding,) = check_proxies(Facts(15678, NOW, apt=dataclasses.replace(WELL, direct=("https://download.docker.com/linux/debian",))))
        self.assertEqual(finding.level.value, "ok")
        self.assertIn("http://localhost:9988/https://download.docker.com/linux/debian", finding.text)

    def test_lists(self) -> None:
        """Lists that the daemon can't read are wrong; a host without any, or of which nothing is known, may be well."""
        for folder, level in (
            (dataclasses.replace(LISTS, problem="mode 0700"), "wrong"),
            (dataclasses.replace(LISTS, missing=True), "warning"),
            (dataclasses.replace(LISTS, doubt="not root"), "warning"),
            (LISTS, "ok"),
            (None, ""),
        ):
            self.assertEqual(self.judged(check_lists, WELL, lists=folder), level)
        self.assertEqual(self.judged(check_lists, WELL, "down"), "")

    def test_without_pacman(self) -> None:
        """A host that is meant for apt alone lacks no pacman.conf; any other does, and the words of the setup fit."""
        self.assertEqual(self.found(check_servers, apt=WELL), "ok")
        self.assertEqual(self.found(check_servers, apt=WELL, pacman=(6, 1)), "wrong")
        self.assertEqual(self.found(check_servers, apt=UNUSED), "wrong")
        self.assertEqual(Facts(15678, NOW, apt=WELL).setup, "pacsrv setup --apt")
