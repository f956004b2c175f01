"""Tests for `pacserve.transfer.download`: whatever mirrors do, a client gets the exact bytes or a connection that ends."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pacserve.errors import AbsentError, FetchError
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import REFUSALS
from pacserve.transfer.choosing import ATTEMPTS_PER_SOURCE
from tests.unit.transfer.faults import BEHAVIOURS, GOOD, LONG, SIZE, VISITS, Play, PlayCase, Visit, honest, offsets
from tests.unit.transfer.simulator import CONTENTS, DATA, EXPECTED, Behaviour, Client, Fault


class PropertyTests(PlayCase):
    @settings(max_examples=150)
    @given(st.lists(BEHAVIOURS, min_size=1, max_size=3), st.lists(VISITS, max_size=4), st.booleans())
    def test_known(self, behaviours: list[Behaviour], visits: list[Visit], trusted: bool) -> None:
        """Of a file that the database knows nobody is sent all but the right bytes, whatever mirrors do and state."""
        self.check(Play(self, behaviours, visits, EXPECTED, trusted=trusted), [DATA])

    @settings(max_examples=150)
    @given(st.lists(BEHAVIOURS.map(honest), min_size=1, max_size=3), st.lists(VISITS, max_size=4))
    def test_unknown(self, behaviours: list[Behaviour], visits: list[Visit]) -> None:
        """Of a file that no database knows everybody is sent what some mirror has, and never parts of two."""
        play = Play(self, behaviours, visits, None)
        self.check(play, [behaviour.data for behaviour in behaviours])

    @settings(max_examples=150)
    @given(st.lists(BEHAVIOURS, max_size=2), GOOD, st.integers(0, 2), st.lists(VISITS, max_size=3))
    def test_one_good(self, others: list[Behaviour], good: Behaviour, place: int, visits: list[Visit]) -> None:
        """Where one mirror is well the file is there in the end, and who asks then gets the right bytes; so does the next download."""
        behaviours = [*others[:place], good, *others[place:]]
        play = Play(self, behaviours, visits, EXPECTED)
        self.check(play, [DATA])
        self.successResultOf(play.running)
        late = Client(play.download, play.scene.clock)
        self.assertEqual((late.got, late.complete), (DATA, True))
        again = play.scene.download(play.mirrors)
        running = Deferred.fromCoroutine(again.run())
        play.scene.pass_time(LONG)
        self.successResultOf(running)
        late = Client(again, play.scene.clock)
        self.assertEqual((late.got, late.complete), (DATA, True))
        self.assert_left_nothing(play.scene, play.mirrors)

    @settings(max_examples=150)
    @given(
        st.lists(
            st.builds(
                Behaviour,
                faults=st.lists(st.builds(Fault, at=offsets(), kind=st.sampled_from(["breaks", "stalls"])), min_size=1, max_size=4).map(tuple),
                refuses=st.sampled_from(["", "", "refused"]),
                delay=st.sampled_from([0.0, 0.0, 1.5, 1e6]),
                piece=st.sampled_from([1000, 20_000]),
                interval=st.sampled_from([0.0, 0.25, 2.0]),
            ),
            max_size=1,
        ),
        st.integers(0, 1),
    )
    def test_never_waits_long(self, others: list[Behaviour], place: int) -> None:
        """From one byte to the next nobody waits more than eight seconds as long as a mirror is well that has the same file."""
        play = Play(self, [*others[:place], Behaviour(piece=1000, interval=0.25), *others[place:]], [Visit(0.0, 1e6, 0)], EXPECTED)
        (client,) = play.clients
        self.assertTrue(client.complete)
        self.assertEqual(client.got, DATA)
        self.assertLessEqual(client.longest, 8.0)


class EachFaultTests(PlayCase):
    def play(self, *behaviours: Behaviour, expected: ExpectedFile | None = EXPECTED) -> tuple[Play, Client]:
        """A download with a client that was there from the start."""
        play = Play(self, list(behaviours), [Visit(0.0, 1e6, 0)], expected)
        self.assert_left_nothing(play.scene, play.mirrors)
        return play, play.clients[0]

    def test_every_byte(self) -> None:
        """A mirror may die at any byte: the next goes on at that byte, or with the whole where it can't."""
        for at in (*range(0, SIZE, 997), 1, SIZE - 1):
            for good in (Behaviour(), Behaviour(ranges=False), Behaviour(etag="", modified=""), Behaviour(chunked=True)):
                play, client = self.play(Behaviour(faults=(Fault(at, "breaks"),)), good)
                self.successResultOf(play.running)
                self.assertEqual((client.got, client.complete), (DATA, True), (at, good))

    def test_only_at_the_beginning(self) -> None:
        """A mirror whose file can't be shown to be the one that was begun gives all of it, though another one breaks off again and again."""
        for faulty in (Fault(3000, "breaks"), Fault(3000, "ends"), Fault(3000, "stalls")):
            play, client = self.play(Behaviour(faults=(faulty,)), Behaviour(modified="", etag='"other"'))
            self.successResultOf(play.running)
            self.assertEqual((client.got, client.complete), (DATA, True))

    def test_begun_wrong(self) -> None:
        """A mirror that goes on where another one gave wrong bytes is not taken for the liar."""
        wrong = Behaviour("first byte", faults=(Fault(3000, "breaks"),))
        play, _ = self.play(wrong, Behaviour())
        self.successResultOf(play.running)
        self.assertEqual(play.mirrors[1].verdicts, ["succeeded"])

    def test_stall_after_stall(self) -> None:
        """Mirrors that answer and give nothing are asked a few times, and not for ever."""
        for count in (1, 2):
            play, client = self.play(*[Behaviour(faults=(Fault(3000, "stalls"),))] * count)
            self.failureResultOf(play.running, FetchError)
            self.assertFalse(client.complete)
            self.assertLessEqual(sum(len(mirror.asked) for mirror in play.mirrors), 2 * count * ATTEMPTS_PER_SOURCE + 2)

    def test_each_has_its_turn(self) -> None:
        """A mirror that breaks off again and again does not keep another one from its turn, however the answers come."""
        absent, broken = Behaviour(status=404, delay=3.5), Behaviour(faults=(Fault(1, "breaks"),), chunked=True)
        for good in (Behaviour(delay=1.5, ranges=False), Behaviour(delay=1.5)):
            play, client = self.play(absent, broken, good)
            self.successResultOf(play.running)
            self.assertEqual((client.got, client.complete), (DATA, True))

    def test_other_size(self) -> None:
        """A client that was promised the size of one file is not sent as many bytes of another."""
        first = Behaviour(faults=(Fault(4000, "breaks"),), etag='"1"', modified="", piece=1000, interval=0.5)
        for other in ("longer, middle", "shorter, middle"):
            for chunked in (False, True):
                second = Behaviour(other, ranges=False, etag='"2"', modified="", chunked=chunked)
                play = Play(self, [first, second], [Visit(0.75, 1e6, 0), Visit(5.0, 1e6, 0)], None)
                promised, late = play.clients
                self.assertEqual((late.got, late.complete), (CONTENTS[other], True))
                self.assertEqual((promised.complete, promised.got), (False, CONTENTS[other][: SIZE - 1]))

    def test_size_of_nothing(self) -> None:
        """A size that a mirror stated that gave no byte binds no other one."""
        for other in ("longer", "shorter"):
            play, client = self.play(Behaviour(faults=(Fault(0, "breaks"),)), Behaviour(other), expected=None)
            self.successResultOf(play.running)
            self.assertEqual(play.mirrors[1].verdicts, ["succeeded"])
            self.assertTrue(client.complete is False or client.got == CONTENTS[other])

    def test_no_answer(self) -> None:
        """Mirrors that can't be asked, for whatever reason, or have no such file are passed over at once."""
        for bad in (
            Behaviour(refuses="TLS: the certificate is not valid"),
            Behaviour(refuses="redirected more than 5 times"),
            Behaviour(refuses="it leads back to this host"),
            *(Behaviour(status=status) for status in (404, 410, 403, 500, 204)),
        ):
            play, client = self.play(bad, bad, Behaviour())
            self.successResultOf(play.running)
            self.assertEqual((client.got, client.complete, play.mirrors[2].asked), (DATA, True, [(0.0, 0)]))
            play, client = self.play(bad, bad)
            self.failureResultOf(play.running, AbsentError if bad.status in REFUSALS else FetchError)
            self.assertEqual((client.got, client.complete), (b"", False))

    def test_no_end(self) -> None:
        """A mirror that gave all bytes has given the file, though it does not say that this was the end."""
        for kind in ("breaks", "stalls"):
            play, client = self.play(Behaviour(faults=(Fault(SIZE, kind),), chunked=True), Behaviour())
            self.successResultOf(play.running)
            self.assertEqual((client.got, client.complete, len(play.scene.files)), (DATA, True, 1))
            self.assertLessEqual(client.longest, 8.0)

    def test_short(self) -> None:
        """A body that ends early is no file, though no database knows its size; what states its length is asked for the rest."""
        short = Behaviour(faults=(Fault(3000, "ends"), None))
        play, client = self.play(short, expected=None)
        self.successResultOf(play.running)
        self.assertEqual((client.got, client.complete, [first for _, first in play.mirrors[0].asked]), (DATA, True, [0, 3000]))

    def test_too_much(self) -> None:
        """Of a body that goes on behind the end nothing is taken."""
        play, client = self.play(Behaviour("longer, middle", chunked=True, piece=500))
        self.failureResultOf(play.running, FetchError)
        self.assertFalse(client.complete)
        self.assertLessEqual(play.download.files[0].written, SIZE)
        self.assertEqual(play.mirrors[0].verdicts, ["lied"])

    def test_drip(self) -> None:
        """A mirror that drips is left for another one, and is taken when there is none."""
        drip = Behaviour(piece=100, interval=1.0)
        play, client = self.play(drip, Behaviour())
        self.assertEqual((client.got, play.mirrors[1].asked[0][1] > 0), (DATA, True))
        play, client = self.play(replace(drip, piece=200))
        self.assertEqual((client.got, client.complete, len(play.mirrors[0].asked)), (DATA, True, 1))
