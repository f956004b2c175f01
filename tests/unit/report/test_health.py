"""Tests for `pacserve.report.health`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.report.health import Health, health_of, health_text
from pacserve.report.status import FindingStatus

WRONG, DOUBTFUL = (FindingStatus("disk", level, "full", "make room") for level in ("wrong", "warning"))


class HealthTests(SynchronousTestCase):
    def test_health(self) -> None:
        """The worst finding decides, and all are counted; that nothing was checked is not that all is well."""
        for findings, health, text in (
            (None, Health.UNKNOWN, "Not checked yet"),
            ((), Health.WELL, "All is well"),
            ((DOUBTFUL,), Health.DOUBTFUL, "1 warning"),
            ((WRONG,), Health.WRONG, "1 thing is wrong"),
            ((DOUBTFUL, WRONG, DOUBTFUL, WRONG), Health.WRONG, "2 things are wrong, 2 warnings"),
        ):
            self.assertEqual((health_of(findings), health_text(findings)), (health, text))
