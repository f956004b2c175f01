"""Tests for `pacserve.fetch.gathering`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.gathering import FAST_RATE, GATHERING_PAUSE, JUDGING_TIME, LAST_BYTES, Gathering

PIECE = 4096


class GatheringTests(SynchronousTestCase):
    def pauses(self, rate: float, length: int | None, seconds: float, piece: int = PIECE) -> list[float]:
        """What is answered to a source of so many bytes per second, whose pieces come one by one."""
        gathering = Gathering(length, 100.0)
        return [gathering.arrived(piece, 100.0 + number * piece / rate) for number in range(1, int(seconds * rate / piece))]

    def test_slow(self) -> None:
        """A slow source is not read for a while after each piece, but for the first ones."""
        pauses = self.pauses(FAST_RATE / 2, None, 1.0)
        first = pauses.index(GATHERING_PAUSE)
        self.assertLess(first * PIECE / (FAST_RATE / 2), JUDGING_TIME * 1.1)
        self.assertEqual(set(pauses[:first]), {0.0})
        self.assertEqual(set(pauses[first:]), {GATHERING_PAUSE})

    def test_fast(self) -> None:
        """A fast source is read as it comes, whatever the size of its pieces."""
        for piece in (PIECE, 512 * 1024):
            self.assertEqual(set(self.pauses(FAST_RATE * 1.2, None, 1.0, piece)), {0.0})

    def test_becomes_fast(self) -> None:
        """A source that was slow at first, as every far one is, and that is fast after is read as it comes."""
        gathering = Gathering(None, 0.0)
        self.assertEqual(gathering.arrived(PIECE, JUDGING_TIME), GATHERING_PAUSE)
        self.assertEqual(gathering.arrived(int(2 * FAST_RATE * JUDGING_TIME), 2 * JUDGING_TIME), 0.0)
        self.assertEqual(gathering.arrived(PIECE, 2.1 * JUDGING_TIME), 0.0)
        self.assertEqual(gathering.arrived(PIECE, 4 * JUDGING_TIME), GATHERING_PAUSE)

    def test_last_bytes(self) -> None:
        """Neither a small file nor the end of a large one is made later."""
        self.assertEqual(set(self.pauses(100_000.0, LAST_BYTES, 0.6)), {0.0})
        length = 1 << 20
        pauses = self.pauses(FAST_RATE / 10, length, length / (FAST_RATE / 10))
        self.assertEqual(pauses[len(pauses) // 2], GATHERING_PAUSE)
        self.assertEqual(set(pauses[-LAST_BYTES // PIECE + 1 :]), {0.0})
