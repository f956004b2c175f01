"""Tests for `tools.soak.readings` and `tools.soak.report`."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tools.soak.readings import Reading, defects, descriptors, memory, unusual_lines
from tools.soak.report import HostFigures, report
from tools.soak.runs import Record, Run

LOG = """\
2026-01-01T00:00:00+0000 [info] GET /request/core/x86_64/a-1-1-any.pkg.tar.zst: 200 from download, 4000 bytes, 5.0 ms
2026-01-01T00:00:00+0000 [warn] core/x86_64/core.db can't be had: mirror http://10.78.0.2/core: no answer within 3.5 s
2026-01-01T00:00:00+0000 [warn] core/x86_64/core.db can't be had: mirror http://10.78.0.9/core: no answer within 4 s
2026-01-01T00:00:00+0000 [error] a-1-1-any.pkg.tar.zst is wrong
"""
MEGABYTE = 1_000_000


def readings(resident: Callable[[int], float], files: Callable[[int], int] = lambda _: 20) -> list[Reading]:
    """Returns ten minutes of readings of one process, one for every five seconds."""
    return [Reading(100.0 + at, 7, int(resident(at) * MEGABYTE), files(at)) for at in range(0, 600, 5)]


class ReadingsTests(SynchronousTestCase):
    def test_course(self) -> None:
        """Memory has a start, a value after the warm-up, an end and a peak; tables that fill are no growth without end."""
        used = memory(readings(lambda at: 50 + min(at, 100) * 0.3 + (40 if at == 300 else 0)))
        assert used is not None
        self.assertEqual((used.start, used.warm, used.end, used.highest, used.grows), (50.0, 80.0, 80.0, 120.0, False))
        self.assertIsNone(memory([]))
        self.assertIsNone(descriptors([]))

    def test_growth(self) -> None:
        """Memory and files that go on to grow are noticed; those of a daemon that began a moment ago are not judged."""
        growing = readings(lambda at: 50 + at * 0.05, lambda at: 20 + at)
        used, files = memory(growing), descriptors(growing)
        assert used is not None
        assert files is not None
        self.assertTrue(used.grows)
        self.assertTrue(files.grows)
        young = [*readings(lambda _: 50), *(Reading(700.0 + at, 8, (50 + 3 * at) * MEGABYTE, 20) for at in range(0, 80, 5))]
        used = memory(young)
        assert used is not None
        self.assertFalse(used.grows)

    def test_log(self) -> None:
        """Lines above info are counted by their text, without what differs from one to the next; tracebacks are."""
        found = unusual_lines(LOG.splitlines())
        self.assertEqual(sorted(found.values()), [1, 2])
        self.assertIn("[error] FILE is wrong", found)
        self.assertEqual(defects([*LOG.splitlines(), "Traceback (most recent call last):", "Unhandled error in Deferred:"]), 2)


class ReportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.record = Record(runs=[Run("h1", 0.0, 2.5, 0, ""), Run("h2", 1.0, 3.0, 0, "", own_daemon=False, landed=MEGABYTE)])
        self.record.landed = {"digest": 10 * MEGABYTE}
        self.host = HostFigures("h1", 1, True, readings(lambda _: 50), LOG.splitlines())

    def report(self, host: HostFigures) -> tuple[str, list[str]]:
        return report(self.record, [host], 12 * MEGABYTE, 600.0)

    def test_all_is_well(self) -> None:
        """The table has the runs, the hosts, the WAN and the log, and nothing is wrong."""
        text, faults = self.report(self.host)
        self.assertEqual(faults, [])
        rows = [" ".join(line.split()) for line in text.splitlines()]
        self.assertIn("2 2.2 s 2.5 s exit 0", rows)
        self.assertIn("h1* 1 50.0 50.0 50.0 50.0 20 20 20 20", rows)
        self.assertIn("WAN bytes over payload 1.20 (12 MB for 10 MB)", rows)
        self.assertIn("the same with own daemons 1.10 (1 MB came in runs that began without one)", rows)
        self.assertIn("log lines above info 3", rows)

    def test_faults(self) -> None:
        """Wrong files, tracebacks, unexplained runs, and memory that grows are wrong, and so are no runs at all."""
        self.record.wrong_files.append("h1: wrong")
        self.record.runs.append(Run("h1", 5.0, 6.0, 1, "error"))
        log = ["Traceback (most recent call last):"]
        _, faults = self.report(HostFigures("h1", 1, True, readings(lambda at: 50 + at * 0.05), log))
        self.assertEqual(len(faults), 4)
        self.record.runs.clear()
        self.record.wrong_files.clear()
        self.record.landed.clear()
        text, faults = self.report(self.host)
        self.assertIn("WAN bytes over payload         -", text)
        self.assertEqual(faults, ["pacman never ran"])
