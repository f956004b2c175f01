"""Tests for `pacserve.pacsrv.doctor`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.configuration import Section
from pacserve.pacsrv.doctor import CHECKS, encode_findings, examine, exit_status, show_findings
from pacserve.pacsrv.facts import AptFacts, Facts, Folder
from pacserve.pacsrv.layout import Screen
from pacserve.pacsrv.setup.record import APT_SCRIPT
from tests.fakes.statuses import NOW, peer, status

OURS = "http://localhost:15678/request/$repo/$arch"


class DoctorTests(SynchronousTestCase):
    def test_well(self) -> None:
        """A machine that is well has status 0, and a line for each check without a cure."""
        facts = Facts(
            15678,
            NOW,
            status=status(peer()),
            pacman=(6, 0),
            sections=(Section("core", 1, [OURS, "http://a/"]),),
            signature_levels={"core": frozenset({"PackageRequired"})},
            cache_dirs=(Folder("/var/cache/pacman/pkg", free=9 << 30),),
            apt=AptFacts(wanted=True, detector=APT_SCRIPT, proxy="http://127.0.0.1:9988", silence="", lists=Folder("/var/lib/apt/lists")),
        )
        findings = examine(facts)
        self.assertEqual(exit_status(findings), 0)
        lines = show_findings(findings, Screen())
        self.assertTrue(all(line.startswith("ok ") for line in lines[:-1]), lines)
        self.assertEqual(lines[-1], "0 things are wrong, 0 warnings")
        self.assertEqual({name for name, _ in findings}, {name for name, _ in CHECKS} - {"CacheServer", "XferCommand", "file://"})

    def test_nothing_known(self) -> None:
        """A machine of which nothing is known is wrong, not an error; every fault has its cure."""
        findings = examine(Facts(15678, NOW, silence="no program listens there", unreadable="no such file"))
        self.assertEqual(exit_status(findings), 1)
        told = json.loads(encode_findings(findings))
        self.assertTrue(told["wrong"])
        self.assertEqual([one["check"] for one in told["findings"] if one["level"] == "wrong"], ["pacserve", "pacman.conf"])
        self.assertTrue(all(bool(one["cure"]) == (one["level"] != "ok") for one in told["findings"]))
