"""Tests for `pacserve.fetch.gathering`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.gathering import (
    FAST_RATE,
    GATHERED_BYTES,
    GATHERING_PAUSE,
    JUDGING_TIME,
    LAST_BYTES,
    LONG_PAUSE,
    RATE_LIFETIME,
    STEADY_COUNT,
    Gathering,
    HostRates,
)

PIECE = 4096


class GatheringTests(SynchronousTestCase):
    def pauses(self, rate: float, length: int | None, seconds: float, piece: int = PIECE, known: float | None = None) -> list[float]:
        """What is answered to a source of so many bytes per second, whose pieces come one by one."""
        gathering = Gathering(length, 100.0, known)
        return [gathering.arrived(piece, 100.0 + number * piece / rate) for number in range(1, int(seconds * rate / piece) + 1)]

    def test_slow(self) -> None:
        """A slow source is not read for a while after each piece, but for the first ones, and for longer once its rate is steady."""
        rate = FAST_RATE / 2
        pauses = self.pauses(rate, None, 1.0)
        first, longer = pauses.index(GATHERING_PAUSE), next(number for number, pause in enumerate(pauses) if pause > GATHERING_PAUSE)
        self.assertLess(first * PIECE / rate, JUDGING_TIME * 1.1)
        self.assertEqual(set(pauses[:first]), {0.0})
        self.assertEqual(set(pauses[first:longer]), {GATHERING_PAUSE})
        self.assertTrue(STEADY_COUNT < longer * PIECE / rate / JUDGING_TIME < STEADY_COUNT + 2)
        for rate, pause in ((FAST_RATE / 1000, LONG_PAUSE), (FAST_RATE / 2, GATHERED_BYTES / (FAST_RATE / 2)), (FAST_RATE * 0.99, GATHERING_PAUSE)):
            for found in self.pauses(rate, None, 5.0)[-5:]:
                self.assertLess(abs(found / pause - 1), 0.02)

    def test_grows(self) -> None:
        """As long as the rate of a source grows the pauses are short, since long ones would keep it from growing."""
        gathering, now, rate = Gathering(None, 0.0), 0.0, 10_000.0
        for _ in range(20):
            now, rate = now + 1.01 * JUDGING_TIME, rate * 1.3
            self.assertEqual(gathering.arrived(int(rate * JUDGING_TIME), now), GATHERING_PAUSE)
        for number in range(STEADY_COUNT):
            now += 1.01 * JUDGING_TIME
            pause = gathering.arrived(int(rate * JUDGING_TIME), now)
            self.assertEqual(pause > GATHERING_PAUSE, number == STEADY_COUNT - 1)

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

    def test_is_fast_at_once(self) -> None:
        """What only a fast source can have sent is not waited for any longer to know that it is one."""
        gathering = Gathering(None, 0.0, FAST_RATE / 10)
        self.assertEqual(gathering.arrived(PIECE, 0.0), GATHERING_PAUSE)
        self.assertEqual(gathering.arrived(int(FAST_RATE * JUDGING_TIME), GATHERING_PAUSE), 0.0)
        self.assertEqual(gathering.arrived(int(FAST_RATE * JUDGING_TIME), GATHERING_PAUSE), 0.0)

    def test_last_bytes(self) -> None:
        """Neither a small file nor the end of a large one is made later."""
        self.assertEqual(set(self.pauses(100_000.0, LAST_BYTES, 0.6)), {0.0})
        length, rate = 1 << 20, FAST_RATE / 10
        pauses = self.pauses(rate, length, length / rate)
        self.assertGreaterEqual(pauses[len(pauses) // 2], GATHERING_PAUSE)
        self.assertEqual(set(pauses[-LAST_BYTES // PIECE :]), {0.0})
        for number, pause in enumerate(pauses, 1):
            self.assertLessEqual(pause, max(0.0, (length - number * PIECE - LAST_BYTES) / rate * 1.1))

    def test_known(self) -> None:
        """A source that was slow a moment ago is not read after the first piece; one that was fast is judged by what it gives."""
        self.assertEqual(self.pauses(FAST_RATE / 10, None, 0.01, known=FAST_RATE / 10), [GATHERING_PAUSE] * 3)
        self.assertEqual(set(self.pauses(FAST_RATE / 10, LAST_BYTES, 0.01, known=FAST_RATE / 10)), {0.0})
        for known in (None, FAST_RATE):
            self.assertEqual(self.pauses(FAST_RATE / 10, None, 0.01, known=known), [0.0] * 3)

    def test_rate(self) -> None:
        """What a source gave is told once it is known."""
        gathering = Gathering(None, 0.0)
        gathering.arrived(1000, JUDGING_TIME / 2)
        self.assertIsNone(gathering.rate)
        gathering.arrived(1000, JUDGING_TIME)
        self.assertEqual(gathering.rate, 2000 / JUDGING_TIME)


class HostRatesTests(SynchronousTestCase):
    def test_remembered(self) -> None:
        """Rates of so many hosts are remembered for a while."""
        rates = HostRates()
        for number in range(1000):
            rates.remember(f"http://a{number}", 5.0, 0.0)
        self.assertEqual((len(rates), rates.get("http://a999", RATE_LIFETIME - 1), rates.get("http://a999", RATE_LIFETIME)), (256, 5.0, None))
