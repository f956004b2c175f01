"""Tests for L{pacserve.app.log}."""

from twisted.logger import LogEvent, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.log import LineObserver, line_prefix


def event(level: str = "info", namespace: str = "pacserve.peers.watch", text: str = "peer {peer} left", **fields: object) -> LogEvent:
    """An event as twisted.logger makes it."""
    return {
        "log_level": LogLevel.lookupByName(level),
        "log_namespace": namespace,
        "log_format": text,
        "log_time": 1_700_000_000.0,
        "peer": "10.0.0.3",
        **fields,
    }


class LineObserverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []

    def observe(self, least: str, *events: LogEvent) -> str:
        """What is written of the events."""
        observer = LineObserver(self.lines.append, least, journal=True)
        for each in events:
            observer(each)
        return "".join(self.lines)

    def test_one_line(self) -> None:
        """An event is one line with its priority, whatever another host put into its fields."""
        self.assertEqual(self.observe("info", event(peer="10.0.0.3\n<2>forged")), "<6>peer 10.0.0.3 <2>forged left\n")

    def test_levels(self) -> None:
        """Less important events than asked for are left out."""
        self.assertEqual(self.observe("warn", event("info"), event("debug"), event("warn", text="disk")), "<4>disk\n")

    def test_foreign_info(self) -> None:
        """What libraries say at info is left out, their warnings are not."""
        self.assertEqual(self.observe("debug", event("info", "twisted.internet"), event("warn", "twisted.web", "odd")), "<4>odd\n")

    def test_traceback(self) -> None:
        """A defect of our own is logged with its traceback."""
        try:
            raise ZeroDivisionError("boom")
        except ZeroDivisionError:
            failure = Failure()
        text = self.observe("error", event("critical", text="unexpected", log_failure=failure))
        self.assertTrue(text.startswith("<2>unexpected\nTraceback"), text)
        self.assertIn("ZeroDivisionError: boom", text)

    def test_time(self) -> None:
        """Without a journal a line begins with the time and the level."""
        self.assertRegex(line_prefix("warn", False, 1_700_000_000.0), r"\A2023-11-1[45]T[0-9:]{8}[+-][0-9:]{5} warn  \Z")
