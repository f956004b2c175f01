"""Tests for `tools.release.checks`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from twisted.trial.unittest import SynchronousTestCase

from tools.release.checks import Checkout, objections

CHANGELOG = """\
# Changelog

## [Unreleased]

## [0.2.0] - 2026-11-30

### Added

- Much.

## [0.1.0] - 2026-01-01

- A start.
"""
READY = Checkout("0.2.0", CHANGELOG, frozenset({"v0.1.0"}), (), date(2026, 11, 30))


class ObjectionsTests(SynchronousTestCase):
    def objection(self, checkout: Checkout) -> str:
        (found,) = objections(checkout)
        return found

    def test_ready(self) -> None:
        """A clean checkout whose changelog speaks of its version can be released, also the day after."""
        self.assertEqual(objections(READY), [])
        self.assertEqual(objections(replace(READY, today=date(2026, 12, 1))), [])
        self.assertEqual(objections(replace(READY, changelog=CHANGELOG.replace("## [Unreleased]\n", ""))), [])

    def test_version(self) -> None:
        """The version has three numbers."""
        changelog = CHANGELOG.replace("0.2.0", "0.2.x")
        self.assertIn("0.2.x is no version", self.objection(replace(READY, version="0.2.x", changelog=changelog)))
        self.assertEqual(objections(replace(READY, version="0.2.0rc1", changelog=CHANGELOG.replace("0.2.0", "0.2.0rc1"))), [])

    def test_released_already(self) -> None:
        """A version is released once."""
        self.assertIn("v0.2.0", self.objection(replace(READY, tags=frozenset({"v0.2.0"}))))

    def test_changes(self) -> None:
        """What is released is what git has."""
        self.assertIn("README.md, new file", self.objection(replace(READY, changes=(" M README.md", "?? new file"))))

    def test_changelog(self) -> None:
        """The changelog has the version first, with its day and what is new, and nothing that belongs to no version."""
        for changelog, text in (
            (CHANGELOG.replace("0.2.0", "0.3.0"), "nothing of this version: put what is new below the line '## [0.2.0] - 2026-11-30'"),
            (CHANGELOG.replace("2026-11-30", "2026-12-01"), "does not say when"),
            (CHANGELOG.replace("2026-11-30", "soon"), "does not say when"),
            (CHANGELOG.replace(" - 2026-11-30", ""), "does not say when"),
            (CHANGELOG.replace("### Added\n\n- Much.\n", ""), "says nothing"),
            (CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n"), "not released"),
            (CHANGELOG.replace("## [0.2.0]", "## [0.3.0] - 2026-11-30\n\n- Later.\n\n## [0.2.0]"), "0.3.0 before 0.2.0"),
        ):
            self.assertIn(text, self.objection(replace(READY, changelog=changelog)))

    def test_all_at_once(self) -> None:
        """Everything is told in one run."""
        self.assertEqual(len(objections(replace(READY, tags=frozenset({"v0.2.0"}), changes=(" M x",), changelog=""))), 3)
