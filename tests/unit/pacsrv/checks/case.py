"""A case that runs checks of the doctor."""

import dataclasses
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Check
from tests.fakes.statuses import NOW


class CheckCase(SynchronousTestCase):
    def found(self, check: Check, **facts: Any) -> str:
        """The levels of what a check finds; every fault names its cure."""
        findings = list(check(dataclasses.replace(Facts(15678, NOW), **facts)))
        for finding in findings:
            self.assertEqual(bool(finding.cure), finding.level.value != "ok", finding.text)
        return " ".join(finding.level.value for finding in findings)
