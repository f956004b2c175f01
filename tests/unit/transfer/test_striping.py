"""Tests for `pacserve.transfer.striping`, by downloads from simulated mirrors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.rate import Limits
from pacserve.transfer import striping as striping_module
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.division import Division, Sizes
from pacserve.transfer.download import Download
from pacserve.transfer.lines import Lines
from pacserve.transfer.striping import LOOK_INTERVAL, Striping
from pacserve.transfer.terms import Terms
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Body, Client, Fault, Head, SceneCase, SimulatedMirror

SIZES = Sizes(file=1000, first=500, least=250, most=2000, alone=4000, window=6000)
# A mirror that gives 1000 bytes a second.
STEADY = Behaviour(piece=250, interval=0.25)


@dataclass(frozen=True)
class Outcome:
    """
    How a download ended.

    Attributes:
        given: The bytes that each mirror was asked for.
        seconds: Until its end.
        error: Why it failed; None where it did not.
    """

    mirrors: list[SimulatedMirror]
    client: Client
    given: list[int]
    seconds: float
    error: object


class StripingTests(SceneCase):
    def play(self, *behaviours: Behaviour, at_once: int = 3) -> Outcome:
        """A download from these mirrors, which a client reads."""
        scene = self.scene()
        mirrors = scene.mirrors(behaviours)
        download = Download(NAME, Arrival(EXPECTED, Storage(scene.create)), mirrors, scene.clock, Terms(lines=Lines(at_once, SIZES)))
        ends: list[tuple[float, object]] = []
        running = Deferred.fromCoroutine(download.run())
        running.addBoth(lambda result: ends.append((scene.clock.seconds(), result)))
        client = Client(download, scene.clock)
        scene.pass_time(120)
        self.assertEqual(len(ends), 1)
        self.assert_left_nothing(scene, mirrors)
        given = [sum(body.part[1] - body.part[0] for body in mirror.bodies) for mirror in mirrors]
        return Outcome(mirrors, client, given, *ends[0])

    def assert_right(self, outcome: Outcome) -> None:
        """The client has the whole file."""
        self.assertEqual((outcome.client.got, outcome.client.complete, outcome.error), (DATA, True, None))

    def test_three(self) -> None:
        """Three mirrors give a third of the file each, in a third of the time, and no byte twice."""
        outcome = self.play(STEADY, STEADY, STEADY)
        self.assert_right(outcome)
        self.assertLess(outcome.seconds, 4)
        self.assertEqual(sum(outcome.given), len(DATA))
        self.assertTrue(all(given > 3000 for given in outcome.given), outcome.given)

    def test_as_many_as_wanted(self) -> None:
        """No more mirrors are asked than the user wants."""
        outcome = self.play(STEADY, STEADY, STEADY, at_once=2)
        self.assert_right(outcome)
        self.assertEqual([bool(given) for given in outcome.given], [True, True, False])

    def test_faults(self) -> None:
        """One bad mirror of three costs nothing but its share, and the next in the list takes its place."""
        for bad in (
            Behaviour(status=404),
            Behaviour(refuses="connection refused"),
            Behaviour(delay=1e6),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "stalls"),)),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "breaks"),)),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "ends"),)),
            Behaviour(piece=250, interval=0.25, etag='"other"', modified="Fri, 02 Jan 2026 00:00:00 GMT"),
            Behaviour(piece=250, interval=0.25, content="longer"),
            Behaviour(piece=250, interval=0.25, ranges=False),
        ):
            for place in range(1, 3):
                behaviours = [STEADY, STEADY, STEADY]
                behaviours[place] = bad
                outcome = self.play(*behaviours)
                self.assert_right(outcome)
                self.assertLess(outcome.seconds, 8.5, (bad, place))

    def test_first_is_dead(self) -> None:
        """A first mirror that does not answer holds up the first byte for a moment only."""
        outcome = self.play(Behaviour(delay=1e6), STEADY, STEADY)
        self.assert_right(outcome)
        self.assertLess(outcome.seconds, 8)

    def test_none_has_it(self) -> None:
        """Mirrors that have no such file are asked once, and where none has it that is the answer."""
        outcome = self.play(*[Behaviour(status=404)] * 4)
        self.assertIsInstance(getattr(outcome.error, "value", None), AbsentError)
        self.assertEqual([len(mirror.asked) for mirror in outcome.mirrors], [1, 1, 1, 1])
        outcome = self.play(Behaviour(status=404), replace(STEADY, ranges=False), Behaviour(status=410))
        self.assert_right(outcome)
        self.assertEqual([len(mirror.asked) for mirror in outcome.mirrors], [1, 2, 1])

    def test_all_fail(self) -> None:
        """Where no mirror gives parts the file comes from one mirror, as a whole."""
        whole = Behaviour(piece=250, interval=0.25, ranges=False)
        outcome = self.play(whole, whole, whole)
        self.assert_right(outcome)
        self.assertEqual(outcome.mirrors[0].bodies[-1].part, (0, len(DATA)))


class DrivenBody(Body):
    """
    A part whose bytes come when the test says.

    Attributes:
        wait: Seconds for which nothing more is taken.
    """

    def __init__(self, clock: Clock, head: Head, part: tuple[int, int], at_once: int) -> None:
        super().__init__(clock, head, part, Behaviour(), None)
        self.position = part[0]
        self.cancelled = False
        self.wait = 0.0
        self._at_once = at_once
        self._over: Deferred[None] = Deferred()

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        self.used = True
        self._take = take
        self.give(self._at_once)
        try:
            await self._over
        except CancelledError:
            self.cancelled = True
            raise

    def give(self, count: int) -> None:
        """So many bytes come."""
        try:
            self.wait = self._take((DATA + bytes(100))[self.position : self.position + count])
            self.position += count
        except Exception as error:
            self._over.errback(error)

    def end(self) -> None:
        """No more will come."""
        self._over.callback(None)

    def fail(self) -> None:
        """The connection is lost."""
        self._over.errback(FetchError("lost"))


class DrivenMirror(SimulatedMirror):
    """
    A mirror that answers at once, and gives bytes when the test says.

    Attributes:
        parts: Its answers.
        at_once: Bytes that come with the head of an answer.
        status: Its answers from now on.
    """

    at_once = 0
    status = 206

    def __init__(self, clock: Clock, number: int) -> None:
        super().__init__(clock, number, Behaviour())
        self.parts: list[DrivenBody] = []

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> DrivenBody:
        first, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
        fields = {"Content-Range": f"bytes {first}-{last}/{len(DATA)}", "ETag": '"same"'}
        self.parts.append(DrivenBody(self._clock, Head(self.status, last + 1 - first, fields), (first, last + 1), self.at_once))
        return self.parts[-1]


class DrivenTests(SceneCase):
    """Striping by itself, with two mirrors that are asked for 500 bytes at a time."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.scene().clock
        self.one, self.other = (DrivenMirror(self.clock, number) for number in range(2))
        self.mirrors: list[SimulatedMirror] = [self.one, self.other]
        self.limits = Limits()

    def begin(self, first: int = 0, at_once: int = 2, size: int = 500) -> Deferred[None]:
        """All bytes from the first one on are asked for."""
        assert self._scene is not None
        arrival = Arrival(EXPECTED, Storage(self._scene.create))
        arrival.file.write(DATA[:first])
        sizes = Sizes(file=1000, first=size, least=size, most=size, alone=size, window=20_000)
        self.lines = Lines(at_once, sizes)
        terms = Terms(self.limits, lines=self.lines)
        striping = Striping(NAME, arrival, self.mirrors, Division([(first, len(DATA))], sizes), self.clock, terms)
        running = Deferred.fromCoroutine(striping.run())
        self.addCleanup(running.addErrback, lambda failure: failure.trap(CancelledError, FetchError) and None)
        self.addCleanup(running.cancel)
        return running

    def give_all(self, mirror: DrivenMirror) -> None:
        """A mirror gives all of its part."""
        part = mirror.parts[-1]
        part.give(part.part[1] - part.position)
        part.end()

    def help_out(self) -> None:
        """The first mirror becomes silent after a byte, and the other one is asked for its part as well."""
        self.one.parts[-1].give(1)
        self.clock.pump([LOOK_INTERVAL] * 7)
        self.give_all(self.other)
        self.assertEqual(self.other.parts[-1].part, (self.one.parts[-1].position, self.one.parts[-1].part[1]))

    def test_overtaken(self) -> None:
        """A mirror whose part another one had sooner is cancelled and rests for two seconds each time, but has not failed."""

        def go_on(looks: int) -> None:
            for _ in range(looks):
                self.other.parts[-1].give(1)
                self.clock.advance(LOOK_INTERVAL)

        self.begin()
        for times in range(1, 4):
            self.help_out()
            self.give_all(self.other)
            self.assertTrue(self.one.parts[-1].cancelled)
            go_on(19)
            self.assertEqual(len(self.one.parts), times)
            go_on(2)
            self.assertEqual(len(self.one.parts), times + 1)
        self.assertEqual(self.one.verdicts, [])

    def test_help_is_not_needed(self) -> None:
        """A mirror that was asked to help out, and was not needed, is cancelled, and asked for another part at once."""
        self.begin()
        self.help_out()
        helping = self.other.parts[-1]
        self.clock.pump([LOOK_INTERVAL] * 15)
        helping.give(1)
        self.give_all(self.one)
        self.assertTrue(helping.cancelled)
        self.assertIsNot(self.other.parts[-1], helping)
        self.assertNotIn("outrun", self.other.verdicts)

    def test_mute(self) -> None:
        """A mirror that gave no byte for a second while another one gave its part is asked after the others from now on; sooner it is not blamed."""
        for seconds, verdicts in ((0.6, []), (1.2, ["outrun"])):
            self.setUp()
            self.begin()
            self.clock.pump([LOOK_INTERVAL] * round(seconds / LOOK_INTERVAL))
            for _ in range(2):
                self.give_all(self.other)
            self.assertTrue(self.one.parts[0].cancelled)
            self.assertEqual((self.one.verdicts, len(self.one.parts)), (verdicts, 1))

    def test_mute_rests(self) -> None:
        """A mirror that gave no byte for a second rests, though no other one is left."""
        self.begin()
        self.clock.pump([LOOK_INTERVAL] * 12)
        for _ in range(2):
            self.give_all(self.other)
        self.other.parts[-1].fail()
        self.clock.pump([LOOK_INTERVAL] * 19)
        self.assertEqual(len(self.one.parts), 1)
        self.clock.pump([LOOK_INTERVAL] * 2)
        self.assertEqual(len(self.one.parts), 2)

    def test_silent(self) -> None:
        """A mirror that is left since it gave nothing for two seconds has failed: it rests twice as long the second time."""
        self.begin(at_once=1)
        for times in (1, 2):
            self.one.parts[-1].give(1)
            self.clock.pump([LOOK_INTERVAL] * 22)
            self.assertTrue(self.one.parts[-1].cancelled)
            self.assertEqual((len(self.one.parts), len(self.other.parts)), (times, times))
            self.other.parts[-1].give(1)
            self.clock.pump([LOOK_INTERVAL] * 4)
            self.other.parts[-1].fail()
            self.clock.pump([LOOK_INTERVAL] * 18)
        self.assertEqual(len(self.one.parts), 2)

    def test_too_many_bytes(self) -> None:
        """A mirror that gives a byte more than it was asked for has failed, and is asked no more for this file."""
        self.begin()
        self.one.parts[-1].give(501)
        self.clock.pump([1.0] * 20)
        self.assertEqual((self.one.verdicts, len(self.one.parts)), (["failed"], 1))

    def test_bytes_behind_the_end_of_a_part(self) -> None:
        """A mirror whose part was made shorter meanwhile may go on: its bytes that another one was asked for are not taken."""
        running = self.begin(len(DATA) - 500)
        while not self.other.parts:
            self.one.parts[-1].give(1)
            self.clock.advance(LOOK_INTERVAL)
        self.assertLess(self.one.parts[-1].position, self.other.parts[-1].part[0])
        self.one.parts[-1].give(len(DATA) - self.one.parts[-1].position)
        self.assertEqual(self.one.verdicts, ["succeeded"])
        self.assertNoResult(running)
        self.give_all(self.other)
        self.clock.advance(0)
        self.successResultOf(running)

    def test_last_bytes_come_at_once(self) -> None:
        """A mirror that gives the last bytes before it was asked to the end, and doesn't say that this is all, is left then."""
        running = self.begin(len(DATA) - 1000, at_once=1)
        self.one.at_once = 500
        self.give_all(self.one)
        self.clock.advance(0)
        self.successResultOf(running)
        self.assertTrue(self.one.parts[-1].cancelled)

    def test_limits(self) -> None:
        """The limit is that of the way to the mirror."""
        self.limits = Limits(wan=lambda _: 1.0, lan=lambda _: 2.0)
        self.other.wan = False
        self.begin()
        for mirror, wait in ((self.one, 1.0), (self.other, 2.0)):
            mirror.parts[-1].give(10)
            self.assertEqual(mirror.parts[-1].wait, wait)

    def test_every_part_comes_at_once(self) -> None:
        """Mirrors that give each part before the question has been put to the end do not have one question wait within the other."""
        self.mirrors = self.scene().mirrors([Behaviour()] * 2)
        running = self.begin(size=50)
        self.clock.advance(0)
        self.successResultOf(running)

    def test_all_is_here_but_not_handed_on(self) -> None:
        """A download does not fail for want of mirrors when nothing is to be asked for any more."""
        self.patch(striping_module, "TAKE_IN_BYTES", 100)
        running = self.begin(len(DATA) - 1000)
        self.give_all(self.other)
        self.other.behaviour = Behaviour(resting=True)
        self.one.parts[-1].give(500)
        self.one.parts[-1].give(1)
        self.assertEqual(self.one.verdicts, ["failed"])
        self.assertNoResult(running)
        self.clock.pump([LOOK_INTERVAL] * 5)
        self.successResultOf(running)

    def test_answers_of_no_use(self) -> None:
        """A mirror without the file, or with another one by now, is asked no more, and that is all; one that gives whole files is remembered."""
        for status, asked_before, remembered in ((404, False, False), (200, True, False), (200, False, True)):
            self.setUp()
            if not asked_before:
                self.one.status = status
            self.begin()
            if asked_before:
                self.one.status = status
                self.give_all(self.one)
            self.clock.pump([LOOK_INTERVAL] * 60)
            self.assertEqual((len(self.one.parts), "failed" in self.one.verdicts), (1 + asked_before, False))
            divided = self.lines.divided(EXPECTED, [self.other, self.one, DrivenMirror(self.clock, 2)], self.clock.seconds())
            self.assertEqual(self.one not in divided, remembered)

    def test_part_that_ends_early(self) -> None:
        """A mirror whose answer ends before its part has failed, and the rest is asked of another one."""
        self.begin()
        self.one.parts[-1].give(100)
        self.one.parts[-1].end()
        self.assertEqual((self.one.verdicts, len(self.one.parts)), (["failed"], 1))
        self.give_all(self.other)
        self.assertEqual(self.other.parts[-1].part, (100, 500))

    def test_measured(self) -> None:
        """It is remembered how fast a mirror was, if it gave enough to tell, and no limit held it up."""
        for least, wait, rate in ((500, 0.0, 500.0), (501, 0.0, None), (500, 0.1, None)):
            self.setUp()
            self.patch(striping_module, "MEASURED_BYTES", least)
            self.limits = Limits(wan=lambda _, wait=wait: wait)  # type: ignore[misc]
            self.begin()
            for _ in range(2):
                self.clock.advance(0.5)
                self.one.parts[-1].give(250)
            self.one.parts[-1].end()
            self.assertEqual(self.one.rate, rate)
