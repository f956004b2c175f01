"""Tests for `pacserve.transfer.striping`: whatever several mirrors do at once, a client gets the exact bytes or a connection that ends."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pacserve.transfer.division import Sizes
from pacserve.transfer.lines import Lines
from pacserve.transfer.terms import Terms
from tests.unit.transfer.faults import BEHAVIOURS, GOOD, LONG, VISITS, Play, PlayCase, Visit, offsets
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Client, Fault

SIZES = Sizes(file=1000, first=500, least=250, most=2000, alone=4000, window=6000)
AT_ONCE = st.integers(2, 4)
# Faults that a mirror has besides those of its answers: what is known of it, and how much slower it is than others.
STANDINGS = st.fixed_dictionaries(
    {
        "near": st.booleans(),
        "resting": st.sampled_from([False, False, False, True]),
        "sound": st.sampled_from([True, True, True, False]),
        "speed": st.sampled_from([None, None, 10.0, 1000.0, 1e6]),
    }
)
SPEEDS = st.builds(
    lambda behaviour, speed: replace(behaviour, piece=speed[0], interval=speed[1]),
    BEHAVIOURS,
    st.sampled_from([(20_000, 0.0), (2000, 0.25), (1000, 0.25), (100, 0.25), (20, 0.25), (1000, 2.5)]),
)
MIRRORS = st.builds(lambda behaviour, standing: replace(behaviour, **standing), BEHAVIOURS | SPEEDS, STANDINGS)
WELL = st.builds(lambda behaviour, near: replace(behaviour, near=near), GOOD, st.booleans())
# A mirror that gives bytes that are right, but not always.
UNRELIABLE = st.builds(
    Behaviour,
    faults=st.lists(st.builds(Fault, at=offsets(), kind=st.sampled_from(["breaks", "stalls", "ends"])), min_size=1, max_size=4).map(tuple),
    refuses=st.sampled_from(["", "", "refused"]),
    status=st.sampled_from([None, None, None, 404, 500, 416]),
    delay=st.sampled_from([0.0, 0.0, 1.5, 1e6]),
    piece=st.sampled_from([10, 1000, 20_000]),
    interval=st.sampled_from([0.0, 0.25, 2.0]),
    ranges=st.sampled_from([True, True, True, False]),
    sound=st.sampled_from([True, True, False]),
)


class StripedCase(PlayCase):
    def striped(self, behaviours: list[Behaviour], visits: list[Visit], at_once: int, *, trusted: bool = True) -> Play:
        """A download from mirrors, of which so many are asked at once, that ran to its end."""
        lines = Lines(at_once, SIZES)
        play = Play(self, behaviours, visits, EXPECTED, Terms(lines=lines), trusted=trusted)
        traffic = play.scene.traffic[NAME]
        self.assertLessEqual(traffic.mirrors, at_once)
        self.assertLessEqual(traffic.of_one, 1)
        self.assertLessEqual(traffic.of_byte, 2)
        self.assertLessEqual(traffic.times_given, 2)
        self.assertTrue(all(lines.is_idle(mirror) for mirror in play.mirrors))
        return play


class PropertyTests(StripedCase):
    @settings(max_examples=150)
    @given(st.lists(MIRRORS, min_size=2, max_size=5), st.lists(VISITS, max_size=4), AT_ONCE, st.booleans())
    def test_exact(self, behaviours: list[Behaviour], visits: list[Visit], at_once: int, trusted: bool) -> None:
        """Nobody is sent all but the right bytes, whatever mirrors do and state; and no mirror is asked for more than it should be."""
        self.check(self.striped(behaviours, visits, at_once, trusted=trusted), [DATA])

    @settings(max_examples=150)
    @given(st.lists(MIRRORS, min_size=1, max_size=4), WELL, st.integers(0, 4), st.lists(VISITS, max_size=3), AT_ONCE)
    def test_one_good(self, others: list[Behaviour], good: Behaviour, place: int, visits: list[Visit], at_once: int) -> None:
        """Where one mirror is well the file is there in the end, whatever the others do, and so it is for the next download."""
        play = self.striped([*others[:place], good, *others[place:]], visits, at_once)
        self.check(play, [DATA])
        self.successResultOf(play.running)
        late = Client(play.download, play.scene.clock)
        self.assertEqual((late.got, late.complete), (DATA, True))
        again = play.scene.download(play.mirrors, terms=Terms(lines=Lines(at_once, SIZES)))
        running = Deferred.fromCoroutine(again.run())
        play.scene.pass_time(LONG)
        self.successResultOf(running)
        self.assert_left_nothing(play.scene, play.mirrors)

    @settings(max_examples=150)
    @given(st.lists(UNRELIABLE, min_size=1, max_size=4), st.integers(0, 4), AT_ONCE)
    def test_never_waits_long(self, others: list[Behaviour], place: int, at_once: int) -> None:
        """For the first byte, and from one to the next, nobody waits longer than pacman does as long as a mirror is well that has the same file."""
        play = self.striped([*others[:place], Behaviour(piece=1000, interval=0.25), *others[place:]], [Visit(0.0, 1e6, 0)], at_once)
        (client,) = play.clients
        self.assertEqual((client.got, client.complete), (DATA, True))
        self.assertLessEqual(client.first_after, 8.0)
        self.assertLessEqual(client.longest, 8.0)
