"""Tests for `tools.soak.runs`."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tools.soak.runs import Cause, Event, Happening, Record, Run, cause

NAME = "zlib-1-1-x86_64.pkg.tar.zst"
CORRUPTED = f":: File /cache/{NAME} is corrupted (invalid or corrupted package (checksum)).\nerror: failed to commit transaction\n"
FAILED = Run("h1", 10.0, 20.0, 1, "error: failed to commit transaction\n")


class CauseTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A run that ended with 0 is good, whatever happened meanwhile."""
        self.assertIs(cause(replace(FAILED, status=0), [Happening(Event.KILL, "h1", 12.0, 12.0)]), Cause.GOOD)

    def test_events_of_the_host(self) -> None:
        """The host's own daemon and network explain a failure if something happened to them during the run."""
        for event, expected in ((Event.KILL, Cause.KILLED), (Event.STOP, Cause.STOPPED), (Event.NETWORK, Cause.CUT_OFF)):
            for began, ended in ((5.0, 10.5), (12.0, 13.0), (19.0, float("inf"))):
                self.assertIs(cause(FAILED, [Happening(event, "h1", began, ended)]), expected)
            self.assertIs(cause(FAILED, [Happening(event, "h1", 5.0, 9.0), Happening(event, "h1", 21.0, 22.0)]), Cause.UNEXPLAINED)
            self.assertIs(cause(FAILED, [Happening(event, "h2", 12.0, 13.0)]), Cause.UNEXPLAINED)

    def test_rebuilt_meanwhile(self) -> None:
        """A rebuilt package explains only a failure of the same file."""
        rebuilt = Happening(Event.REBUILD, "", 12.0, 12.1, frozenset({NAME}))
        self.assertIs(cause(replace(FAILED, output=CORRUPTED), [rebuilt]), Cause.REBUILT)
        self.assertIs(cause(FAILED, [rebuilt]), Cause.UNEXPLAINED)
        self.assertIs(cause(replace(FAILED, output=CORRUPTED), [replace(rebuilt, began=1.0, ended=2.0)]), Cause.UNEXPLAINED)

    def test_earlier_builds(self) -> None:
        """An earlier build explains that pacman calls that file corrupted, and nothing else."""
        corrupted = replace(FAILED, output=CORRUPTED)
        self.assertIs(cause(replace(corrupted, earlier=frozenset({NAME})), []), Cause.OWN_EARLIER_BUILD)
        self.assertIs(cause(replace(corrupted, twins=frozenset({NAME})), []), Cause.PEER_EARLIER_BUILD)
        self.assertIs(cause(replace(corrupted, twins=frozenset({"other"})), []), Cause.UNEXPLAINED)
        refused = replace(FAILED, output=f"error: failed retrieving file '{NAME}.sig'\n", earlier=frozenset({NAME}), twins=frozenset({NAME}))
        self.assertIs(cause(refused, []), Cause.UNEXPLAINED)


class RecordTests(SynchronousTestCase):
    def test_by_cause(self) -> None:
        """Runs are sorted by what ended them."""
        record = Record(runs=[FAILED, replace(FAILED, host="h2"), replace(FAILED, status=0)], happenings=[Happening(Event.KILL, "h2", 11.0, 11.0)])
        self.assertEqual({kind: len(runs) for kind, runs in record.by_cause().items()}, {Cause.UNEXPLAINED: 1, Cause.KILLED: 1, Cause.GOOD: 1})
