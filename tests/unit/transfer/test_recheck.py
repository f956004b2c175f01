"""Tests for `pacserve.transfer.recheck`, by downloads from simulated mirrors one of which lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from pacserve.errors import FetchError
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.download import Download
from pacserve.transfer.growing import Progress
from pacserve.transfer.lines import LIE_MEMORY, Lines
from pacserve.transfer.terms import InThread, Terms, at_once
from tests.unit.transfer.liars import LIAR, SIZES, SPEEDS, STEADY, WRONG_BYTES, Outcome, finish
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Client, Fault, Scene, SceneCase, SimulatedMirror


class RecheckTests(SceneCase):
    def begin(self, mirrors: list[SimulatedMirror], scene: Scene, lines: Lines | None = None, in_thread: InThread = at_once) -> Download:
        """A download that has not begun."""
        terms = Terms(lines=lines or Lines(3, SIZES), in_thread=in_thread)
        return Download(NAME, Arrival(EXPECTED, Storage(scene.create)), mirrors, scene.clock, terms)

    def play(self, *behaviours: Behaviour, at_once: int = 3) -> Outcome:
        """A download from these mirrors, which has ended."""
        scene = self.scene()
        mirrors = scene.mirrors(behaviours)
        outcome = finish(scene, self.begin(mirrors, scene, Lines(at_once, SIZES)), mirrors)
        self.assert_left_nothing(scene, mirrors)
        return outcome

    def assert_right(self, outcome: Outcome) -> None:
        """The file is complete and right, and no client took another one for it."""
        self.assertEqual((outcome.error, outcome.data), (None, DATA))
        for client in outcome.clients:
            self.assertTrue(client.complete is False or (client.complete and client.got == DATA))

    def test_named(self) -> None:
        """The one mirror that lies is named, none gives a byte twice, and all of it takes twice the time of a file that was right at once."""
        for count in (2, 3, 4):
            usual = self.play(*[STEADY] * count).seconds
            for place in range(min(count, 3)):
                behaviours = [STEADY] * count
                behaviours[place] = LIAR
                outcome = self.play(*behaviours)
                self.assert_right(outcome)
                self.assertEqual((outcome.liars, len(outcome.download.files)), ([place], 2))
                self.assertLess(outcome.seconds, 2 * usual + 1)
                self.assertTrue(all(given <= len(DATA) for given in outcome.given), outcome.given)

    @given(st.lists(SPEEDS, min_size=2, max_size=5), st.integers(0, 4), WRONG_BYTES, st.integers(2, 4))
    @settings(max_examples=40, deadline=None)
    def test_any(self, behaviours: list[Behaviour], place: int, wrong: frozenset[int], at_once: int) -> None:
        """Whichever mirror lies in whichever bytes: if the client was given any of these, that mirror is named, and never another one."""
        place %= len(behaviours)
        behaviours[place] = replace(behaviours[place], wrong=wrong)
        outcome = self.play(*behaviours, at_once=at_once)
        self.assert_right(outcome)
        self.assertEqual(outcome.liars, [place] if len(outcome.download.files) > 1 else [])

    def test_readers_go_on(self) -> None:
        """A client that has only right bytes goes on; the connection of another one is closed."""
        outcome = self.play(replace(STEADY, wrong=frozenset({len(DATA) - 1})), STEADY, STEADY)
        self.assertEqual((outcome.liars, [client.complete for client in outcome.clients]), ([0], [True, True]))
        outcome = self.play(replace(STEADY, wrong=frozenset({0})), STEADY, STEADY)
        self.assertEqual((outcome.liars, [client.complete for client in outcome.clients]), ([0], [False, False]))

    def test_equal_copies_first(self) -> None:
        """A client that comes during the second pass gets the bytes of which there are two equal copies, up to the first that differs."""
        scene = self.scene()
        mirrors = scene.mirrors([replace(STEADY, wrong=frozenset({7000})), STEADY])
        download = self.begin(mirrors, scene)
        running = Deferred.fromCoroutine(download.run())
        while len(download.files) < 2:
            scene.pass_time(0.25)
        late = Client(download, scene.clock)
        scene.pass_time(4)
        self.assertFalse(running.called)
        self.assertEqual(late.got, DATA[: len(late.got)])
        self.assertGreater(len(late.got), 1000)
        scene.pass_time(20)
        self.assertEqual((late.complete, late.got == DATA), (True, True))

    def test_remembered(self) -> None:
        """A mirror that lied is not asked for that file again by another download, until it may have been mended."""
        lines = Lines(3, SIZES)
        for later, asked in ((0.0, True), (60.0, False), (LIE_MEMORY + 60, True)):
            scene = self.scene()
            mirrors = scene.mirrors([LIAR, STEADY, STEADY])
            scene.clock.advance(later)
            outcome = finish(scene, self.begin(mirrors, scene, lines), mirrors)
            self.assertEqual((outcome.data, bool(mirrors[0].asked)), (DATA, asked))

    def test_all_lie(self) -> None:
        """Where every mirror has another file than the database states each is asked for all of it, and again the next time."""
        lines = Lines(3, SIZES)
        for _ in range(2):
            scene = self.scene()
            mirrors = scene.mirrors([LIAR, LIAR])
            outcome = finish(scene, self.begin(mirrors, scene, lines), mirrors)
            self.assertIsInstance(outcome.error, FetchError)
            self.assertEqual((outcome.liars, [client.complete for client in outcome.clients]), ([0, 1], [False, False]))

    def test_two_liars(self) -> None:
        """With two liars the file comes from one mirror after the other, and an honest one is not blamed."""
        outcome = self.play(replace(STEADY, wrong=frozenset({0})), STEADY, LIAR)
        self.assert_right(outcome)
        self.assertNotIn(1, outcome.liars)

    def test_no_second_copy(self) -> None:
        """Where no other mirror gives parts a second time the file comes from one mirror after the other."""
        dies = replace(STEADY, faults=(None,) * 6 + (Fault(0, "breaks"),))
        outcome = self.play(LIAR, dies)
        self.assertNotIn(1, outcome.liars)
        self.assertIsNotNone(outcome.clients[0].complete)

    def test_earlier_bytes(self) -> None:
        """Wrong bytes of which it is not known who gave them are exchanged as well; no more is fetched a second time, and nobody is blamed."""
        hashed = []

        async def in_thread(work: Callable[[], Any]) -> Any:
            hashed.append(work)
            return work()

        scene = self.scene()
        mirrors = scene.mirrors([STEADY, STEADY])
        download = self.begin(mirrors, scene, in_thread=in_thread)
        download.file.place(3000, bytes(2000))
        outcome = finish(scene, download, mirrors)
        self.assertEqual((outcome.data, outcome.liars, len(download.files), len(hashed)), (DATA, [], 2, 1))
        self.assertLess(sum(outcome.given), 1.8 * len(DATA) - 2000)

    def test_one_after_the_other(self) -> None:
        """The source that began a file which mirrors went on with is found out in the same way."""
        scene = self.scene()
        mirrors = scene.mirrors([replace(LIAR, faults=(Fault(3000, "breaks"),)), STEADY, STEADY])
        mirrors[0].divisible = False
        outcome = finish(scene, self.begin(mirrors, scene), mirrors)
        self.assertEqual((outcome.data, outcome.liars, len(outcome.download.files)), (DATA, [0], 2))

    def test_in_thread(self) -> None:
        """Files are hashed in a thread; where the download ends meanwhile nothing is left, and where they can't be read it fails."""
        for end in (CancelledError(), OSError("unreadable")):
            scene, waiting = self.scene(), Deferred[Any]()
            mirrors = scene.mirrors([LIAR, STEADY])

            def in_thread(work: Callable[[], Any], waiting: Deferred[Any] = waiting) -> Deferred[Any]:
                work()
                return waiting

            download = self.begin(mirrors, scene, in_thread=in_thread)
            running = Deferred.fromCoroutine(download.run())
            scene.pass_time(60)
            self.assertFalse(running.called)
            if isinstance(end, OSError):
                waiting.errback(end)
            else:
                running.cancel()
            self.failureResultOf(running, type(end))
            self.assertIs(download.file.progress, Progress.FAILED)
            scene.pass_time(10)
            self.assert_left_nothing(scene, mirrors)

    def test_stopped(self) -> None:
        """A download that is stopped during the second pass leaves nothing behind."""
        scene = self.scene()
        mirrors = scene.mirrors([LIAR, STEADY, STEADY])
        download = self.begin(mirrors, scene)
        running = Deferred.fromCoroutine(download.run())
        while len(download.files) < 2:
            scene.pass_time(0.25)
        scene.pass_time(1)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        scene.pass_time(10)
        self.assert_left_nothing(scene, mirrors)
