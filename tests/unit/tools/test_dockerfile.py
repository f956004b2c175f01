"""Tests for `tools.dockerfile`."""

from twisted.trial.unittest import SynchronousTestCase

from tools.dockerfile import instructions

TEXT = """\
# a comment
FROM debian AS build

RUN one \\
    && two \\
    # not this
    && three
USER nobody
"""


class InstructionsTests(SynchronousTestCase):
    def test_instructions(self) -> None:
        """Comments are left out, continued lines are one."""
        self.assertEqual(instructions(TEXT), (("FROM", "debian AS build"), ("RUN", "one && two && three"), ("USER", "nobody")))
