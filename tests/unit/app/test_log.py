"""Tests for `pacserve.app.log`."""

from io import StringIO

from twisted.logger import LogEvent, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.log import LineObserver, line_writer


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
        observer = LineObserver(self.lines.append, least)
        for each in events:
            observer(each)
        return "".join(self.lines)

    def test_one_line(self) -> None:
        """An event is one line with its level, whatever another host put into its fields."""
        self.assertRegex(
            self.observe("info", event(peer="10.0.0.3\nforged")), r"\A2023-11-1[45]T[0-9:]{8}[+-][0-9]{4} \[info\] peer 10\.0\.0\.3 forged left\n\Z"
        )

    def test_levels(self) -> None:
        """Less important events than asked for are left out."""
        self.assertRegex(self.observe("warn", event("info"), event("debug"), event("warn", text="disk")), r"\A\S+ \[warn\] disk\n\Z")

    def test_foreign_info(self) -> None:
        """What libraries say at info is left out, their warnings are not."""
        self.assertRegex(self.observe("debug", event("info", "twisted.internet"), event("warn", "twisted.web", "odd")), r"\A\S+ \[warn\] odd\n\Z")

    def test_traceback(self) -> None:
        """A defect of our own is logged with its traceback."""
        try:
            raise ZeroDivisionError("boom")
        except ZeroDivisionError:
            failure = Failure()
        text = self.observe("error", event("critical", text="unexpected", log_failure=failure))
        self.assertIn("[critical] unexpected\nTraceback", text)
        self.assertIn("ZeroDivisionError: boom", text)

    def test_full_disk(self) -> None:
        """Lines that can't be written are lost, and nothing else is."""

        class Full(StringIO):
            def write(self, _: str) -> int:
                raise OSError(28, "No space left on device")

        line_writer(Full())("line\n")
        closed = StringIO()
        closed.close()
        line_writer(closed)("line\n")
        stream = StringIO()
        line_writer(stream)("line\n")
        self.assertEqual(stream.getvalue(), "line\n")
