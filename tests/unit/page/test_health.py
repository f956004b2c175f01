"""Tests for `pacserve.page.health`."""

from __future__ import annotations

import dataclasses

from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.health import findings_table, health_html
from pacserve.page.text import clean
from pacserve.report.status import FindingStatus
from tests.unit.page.made_up import FINDING, HOSTILE, NOW, status
from tests.unit.page.reading import read

WRONG = FindingStatus("servers", "wrong", "no Server line names pacserve", "put one first")


class HealthTests(SynchronousTestCase):
    def test_line(self) -> None:
        """The first line says whether all is well, in words and in a colour, the version, and how many peers there are."""
        for findings, text, mark in (
            ((), "All is well", "good"),
            (None, "Not checked yet", "quiet"),
            ((FINDING,), "1 warning", "fair"),
            ((FINDING, WRONG, WRONG), "2 things are wrong, 1 warning", "bad"),
        ):
            line = read(health_html(dataclasses.replace(status(1), findings=findings), NOW))
            health = line.one("health")
            self.assertEqual((health.text, health.all("span")[0].attributes["class"]), (text, mark))
            self.assertEqual(line.one("about").text, "pacserve 1.0, 1 peer")

    def test_findings(self) -> None:
        """Each trouble has what it is about and what to do; what is wrong comes first, and alone is red."""
        page = read(findings_table((FINDING, WRONG)).html(NOW))
        self.assertEqual([row[0] for row in page.cells("findings")], ["servers", "disk"])
        self.assertEqual(page.cells("findings")[1], ["disk", FINDING.text, FINDING.cure])
        self.assertEqual([span.attributes["class"] for span in page.all("span")], ["bad", "fair"])
        self.assertIn("hidden", read(findings_table(()).html(NOW)).one("findings").attributes)

    def test_hostile(self) -> None:
        """Whatever a finding says is text."""
        page = read(findings_table((FindingStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE),)).html(NOW))
        self.assertEqual(page.cells("findings"), [[clean(HOSTILE)] * 3])
