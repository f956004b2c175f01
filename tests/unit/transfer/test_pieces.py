"""Tests for `pacserve.transfer.pieces`, by downloads from simulated mirrors one of which lies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.checks import Rejected
from pacserve.transfer.download import Download
from pacserve.transfer.lines import Lines
from pacserve.transfer.pieces import REJECTIONS_LIMIT, PieceCheck, Pieces
from pacserve.transfer.terms import Terms
from tests.unit.transfer.liars import LIAR, SIZES, SPEEDS, STEADY, WRONG_BYTES, Outcome, finish
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Fault, Scene, SceneCase, SimulatedMirror


@dataclass
class Digests(Pieces):
    """The digests of the pieces of a file."""

    length: int
    data: bytes = DATA

    def right(self, index: int, data: bytes) -> bool:
        piece = self.data[index * self.length : (index + 1) * self.length]
        return hashlib.sha256(data).digest() == hashlib.sha256(piece).digest()


class PieceTests(SceneCase):
    def begin(self, mirrors: list[SimulatedMirror], scene: Scene, pieces: Pieces, at_once: int = 3) -> Download:
        """A download that has not begun."""
        terms = Terms(lines=Lines(at_once, SIZES), describe=lambda expected: pieces if expected == EXPECTED else None)
        return Download(NAME, Arrival(EXPECTED, Storage(scene.create)), mirrors, scene.clock, terms)

    def play(self, pieces: Pieces, *behaviours: Behaviour, at_once: int = 3) -> Outcome:
        """A download from these mirrors, which has ended."""
        scene = self.scene()
        mirrors = scene.mirrors(behaviours)
        outcome = finish(scene, self.begin(mirrors, scene, pieces, at_once), mirrors)
        self.assert_left_nothing(scene, mirrors)
        return outcome

    def assert_unnoticed(self, outcome: Outcome) -> None:
        """The file is right, in the first attempt, and every client has all of it."""
        self.assertEqual((outcome.error, outcome.data, len(outcome.download.files)), (None, DATA, 1))
        for client in outcome.clients:
            self.assertEqual((client.complete, client.got), (True, DATA))

    def test_right(self) -> None:
        """Where all pieces are right no byte is asked for twice, and it takes no longer."""
        outcome = self.play(Digests(1000), STEADY, STEADY, STEADY)
        self.assert_unnoticed(outcome)
        self.assertEqual((sum(outcome.given), outcome.liars), (len(DATA), []))
        self.assertLess(outcome.seconds, 4.5)

    def test_unnoticed(self) -> None:
        """One mirror that lies costs a few pieces, is named, and asked no more."""
        for count in (2, 3):
            for place in range(count):
                behaviours = [STEADY] * count
                behaviours[place] = LIAR
                outcome = self.play(Digests(1000), *behaviours)
                self.assert_unnoticed(outcome)
                self.assertEqual(outcome.liars, [place])
                self.assertLess(outcome.given[place], 3000)
                self.assertLess(outcome.seconds, 1.6 * len(DATA) / 1000 / (count - 1))

    @given(
        st.lists(SPEEDS, min_size=2, max_size=5),
        st.integers(0, 4),
        WRONG_BYTES,
        st.integers(2, 4),
        st.sampled_from([100, 256, 1000, 2500, 6000, 20_000]),
    )
    @settings(max_examples=40, deadline=None)
    def test_any(self, behaviours: list[Behaviour], place: int, wrong: frozenset[int], at_once: int, length: int) -> None:
        """Whichever mirror lies in whichever bytes, and however long pieces are: clients notice nothing, and no other mirror is blamed."""
        place %= len(behaviours)
        behaviours[place] = replace(behaviours[place], wrong=wrong)
        outcome = self.play(Digests(length), *behaviours, at_once=at_once)
        self.assert_unnoticed(outcome)
        self.assertLessEqual(set(outcome.liars), {place})

    def test_several_givers(self) -> None:
        """A wrong piece that several mirrors gave some of is asked of one of them as a whole, and then it is known which of them lies."""
        outcome = self.play(Digests(len(DATA)), STEADY, STEADY, replace(STEADY, wrong=frozenset({700, 5000, 9000})))
        self.assert_unnoticed(outcome)
        self.assertLessEqual(set(outcome.liars), {2})

    def test_wrong_digests(self) -> None:
        """Where the digests of the pieces are wrong nobody is blamed, and the digest of the whole decides."""
        outcome = self.play(Digests(1000, data=bytes(len(DATA))), STEADY, STEADY, STEADY)
        self.assertEqual((outcome.data, outcome.liars), (DATA, []))

    def test_earlier_bytes(self) -> None:
        """Bytes of an earlier download are checked as well before they are handed on, and nobody is blamed for them."""
        for data, asked in ((DATA[3000:5000], len(DATA) - 2000), (bytes(2000), len(DATA))):
            scene = self.scene()
            mirrors = scene.mirrors([STEADY, STEADY])
            download = self.begin(mirrors, scene, Digests(1000))
            download.file.place(3000, data)
            outcome = finish(scene, download, mirrors)
            self.assert_unnoticed(outcome)
            self.assertEqual((sum(outcome.given), outcome.liars), (asked, []))

    def test_handed_on(self) -> None:
        """Where bytes that were handed on before their digest was known are wrong the file is begun again."""
        scene = self.scene()
        mirrors = scene.mirrors([STEADY, STEADY])
        download = self.begin(mirrors, scene, Digests(1000))
        download.file.write(bytes(500))
        outcome = finish(scene, download, mirrors)
        self.assertEqual((outcome.data, len(download.files), outcome.liars), (DATA, 2, []))

    def test_faults(self) -> None:
        """A mirror that breaks off in the middle of a piece costs its bytes only."""
        outcome = self.play(Digests(1000), STEADY, replace(STEADY, faults=(Fault(700, "breaks"), None)), STEADY)
        self.assert_unnoticed(outcome)
        self.assertEqual((outcome.data, outcome.liars), (DATA, []))

    def test_bytes_of_the_same_mirror(self) -> None:
        """With a wrong piece go all unchecked bytes of its mirror, which is named when another one gave the right piece."""
        scene = self.scene()
        liar, good = scene.mirrors([LIAR, STEADY])
        arrival, liars = Arrival(EXPECTED, Storage(scene.create)), list[object]()
        check = PieceCheck(Digests(1000), arrival, liars.append)
        for mirror, first, data in ((liar, 5000, DATA[5000:6000]), (liar, 3000, bytes(500)), (good, 3500, DATA[3500:3600])):
            arrival.set_aside(mirror, first, data)
            self.assertEqual(list(check.arrived(first, first + len(data))), [])
        arrival.set_aside(liar, 1000, bytes(1000))
        self.assertEqual(list(check.arrived(1000, 2000)), [Rejected((1000, 2000), liar, [(3000, 3500)])])
        self.assertEqual((list(arrival.file.ahead), liars), ([(3500, 3600), (5000, 6000)], []))
        arrival.set_aside(good, 1000, DATA[1000:2000])
        self.assertEqual((list(check.arrived(1000, 2000)), liars), ([], [liar]))

    def test_long_pieces(self) -> None:
        """Pieces that are longer than parts may be ahead come from several mirrors, without a byte that is asked for twice."""
        scene = self.scene()
        mirrors = scene.mirrors([STEADY] * 3)
        terms = Terms(lines=Lines(3, replace(SIZES, window=1000)), describe=lambda _: Digests(4000))
        download = Download(NAME, Arrival(EXPECTED, Storage(scene.create)), mirrors, scene.clock, terms)
        outcome = finish(scene, download, mirrors)
        self.assert_unnoticed(outcome)
        self.assertEqual(sum(outcome.given), len(DATA))

    def test_wrong_digest_of_many_mirrors(self) -> None:
        """A piece that is wrong whichever mirror gives it is asked for a few times only, however many mirrors there are."""
        outcome = self.play(Digests(1000, data=bytes(len(DATA))), *[STEADY] * 12)
        self.assertEqual(outcome.data, DATA)
        self.assertLessEqual(sum(body.part[0] == 0 for mirror in outcome.mirrors for body in mirror.bodies), REJECTIONS_LIMIT + 3)
