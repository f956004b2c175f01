"""Tests for `pacserve.pacsrv.setup.service`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.record import Record
from pacserve.pacsrv.setup.service import judge, judge_undo


def shown(load: str = "loaded", enabled: str = "disabled", active: str = "inactive", socket: str = "loaded") -> str:
    """What systemctl prints of the units."""
    return (
        f"Id=pacserve.service\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}\n\n"
        f"Id=pacserve.socket\nLoadState={socket}\nActiveState=inactive\nUnitFileState=\n"
    )


class ServiceTests(SynchronousTestCase):
    def test_start(self) -> None:
        """Only what is missing is done and recorded."""
        for enabled, active, words, record in (
            ("disabled", "inactive", "enable --now pacserve.service", {"enabled": True, "started": True}),
            ("disabled", "failed", "enable --now pacserve.service", {"enabled": True, "started": True}),
            ("disabled", "active", "enable pacserve.service", {"enabled": True, "started": False}),
            ("enabled", "inactive", "start pacserve.service", {"enabled": False, "started": True}),
        ):
            step = judge(shown(enabled=enabled, active=active), Record()).step
            assert step is not None
            self.assertEqual(step.commands, (("systemctl", *words.split()),))
            self.assertEqual(step.record, record)
        done = judge(shown(enabled="enabled", active="active"), Record())
        self.assertEqual((done.step, done.note), (None, ""))

    def test_earlier_record(self) -> None:
        """What an earlier setup did stays recorded."""
        step = judge(shown(enabled="enabled"), Record(enabled=True)).step
        assert step is not None
        self.assertEqual(step.record, {"enabled": True, "started": True})

    def test_impossible(self) -> None:
        """Without systemd, without the unit, or with a masked one, it is said what to do."""
        for printed, word in ((None, "service manager"), ("", "service manager"), (shown("not-found"), "make install"), (shown("masked"), "unmask")):
            found = judge(printed, Record())
            self.assertIsNone(found.step)
            self.assertIn(word, found.note)

    def test_undo(self) -> None:
        """What setup did is taken back, as far as it is still so; the rest is the user's."""
        running = shown(enabled="enabled", active="active")
        for printed, record, commands in (
            (running, Record(enabled=True, started=True), ["stop pacserve.socket pacserve.service", "disable pacserve.service"]),
            (running, Record(enabled=True), ["disable pacserve.service"]),
            (running, Record(), []),
            (shown(enabled="enabled", active="active", socket="not-found"), Record(started=True), ["stop pacserve.service"]),
            (shown(active="active"), Record(enabled=True), []),
            (shown(), Record(enabled=True, started=True), []),
            (None, Record(enabled=True, started=True), []),
        ):
            step = judge_undo(printed, record).step
            found = [] if step is None else list(step.commands)
            self.assertEqual(found, [("systemctl", *words.split()) for words in commands], (printed, record))
            self.assertTrue(step is None or step.record == {"enabled": False, "started": False})

    def test_restart(self) -> None:
        """A service that runs reads its options when it is restarted; one that is started or stopped anyway needs no more."""
        for enabled, active, commands in (
            ("enabled", "active", ["restart pacserve.service"]),
            ("disabled", "active", ["enable pacserve.service", "restart pacserve.service"]),
            ("enabled", "inactive", ["start pacserve.service"]),
        ):
            step = judge(shown(enabled=enabled, active=active), Record(), restart=True).step
            assert step is not None
            self.assertEqual(step.commands, tuple(("systemctl", *words.split()) for words in commands))
        running = shown(enabled="enabled", active="active")
        for printed, record, wanted in (
            (running, Record(), ["restart pacserve.service"]),
            (running, Record(enabled=True), ["restart pacserve.service", "disable pacserve.service"]),
            (running, Record(started=True), ["stop pacserve.socket pacserve.service"]),
            (shown(), Record(), []),
        ):
            step = judge_undo(printed, record, restart=True).step
            self.assertEqual([] if step is None else [" ".join(words[1:]) for words in step.commands], wanted)
