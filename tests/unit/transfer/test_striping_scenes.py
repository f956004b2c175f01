"""Tests for `pacserve.transfer.striping`: each thing that happens to several mirrors at once, by itself."""

from __future__ import annotations

import errno
import hashlib
import random
from dataclasses import dataclass, field
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pacserve.errors import FetchError
from pacserve.fetch.rate import Limits, TokenBucket
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.division import Sizes
from pacserve.transfer.download import Download, Leaders
from pacserve.transfer.growing import Progress
from pacserve.transfer.lines import UNDIVIDED_MEMORY, Lines
from pacserve.transfer.terms import Terms
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Client, Fault, Line, Scene, SceneCase, SimulatedMirror

KIB = 1 << 10
# Large enough for the rates of mirrors to be measured.
FILE = random.Random(1).randbytes(6 << 20)
LARGE = ExpectedFile(len(FILE), hashlib.sha256(FILE).digest())
SIZES = Sizes(file=KIB, first=128 * KIB, least=64 * KIB, most=512 * KIB, alone=1024 * KIB, window=3072 * KIB)
TICKS = 20
# Seconds between two of them, and a little less than that, since the clock adds up what is no whole number.
TICK = 1 / TICKS - 1e-6


def giving(rate: int, line: Line | None = None, **other: object) -> Behaviour:
    """A mirror that gives so many KiB in a second, a twentieth at a time."""
    return Behaviour(file=FILE, piece=max(1, rate * KIB // TICKS), interval=TICK, line=line, **other)  # type: ignore[arg-type]


class Follow(Leaders):
    """A host of the LAN that turns out to download the file as well."""

    def __init__(self, leader: Upstream) -> None:
        self._leader: Upstream | None = leader
        self._known = False
        self.join = lambda: None

    async def next_leader(self, arrived_at: float, total: int) -> Upstream | None:
        if not self._known:
            return None
        leader, self._leader = self._leader, None
        return leader

    def watch(self, joined: object) -> None:
        self._joined = joined

    def hear(self) -> None:
        """Another host is heard of."""
        self._known = True
        assert callable(self._joined)
        self._joined()


@dataclass
class Run:
    """
    A download that runs.

    Attributes:
        ended: When it did; None before that.
    """

    scene: Scene
    download: Download
    mirrors: list[SimulatedMirror]
    client: Client
    running: Deferred[None]
    ended: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.ended[0]

    def shares(self, name: str = NAME) -> int:
        """The bytes that came, twice those that came twice."""
        return sum(end - first for first, end in self.scene.traffic[name].given)


class StripedCase(SceneCase):
    def begin(
        self,
        scene: Scene,
        mirrors: list[SimulatedMirror],
        terms: Terms,
        *,
        name: str = NAME,
        leaders: Leaders | None = None,
        expected: ExpectedFile = LARGE,
    ) -> Run:
        """A download that a client reads."""
        download = scene.download(mirrors, expected, terms, name)
        running = Deferred.fromCoroutine(download.run(leaders))
        run = Run(scene, download, mirrors, Client(download, scene.clock), running)

        def end(result: Failure | None) -> Failure | None:
            run.ended.append(scene.clock.seconds())
            return result

        running.addBoth(end)
        return run

    def play(self, *behaviours: Behaviour, at_once: int = 3, seconds: float = 120, limits: Limits | None = None) -> Run:
        """A download that ran to its end, and is right."""
        scene = self.scene()
        mirrors = scene.mirrors(behaviours)
        lines = Lines(at_once, SIZES)
        run = self.begin(scene, mirrors, Terms(lines=lines) if limits is None else Terms(limits, lines=lines))
        scene.pass_time(seconds, TICKS)
        self.assert_right(run, lines)
        traffic = scene.traffic[NAME]
        self.assertLessEqual((traffic.mirrors, traffic.of_one), (at_once, 1))
        return run

    def assert_right(self, run: Run, lines: Lines) -> None:
        """The client has the file, and nothing is left."""
        self.successResultOf(run.running)
        self.assertTrue(run.client.complete)
        self.assertEqual(run.client.got, FILE)
        self.assert_left_nothing(run.scene, run.mirrors)
        self.assertTrue(all(lines.is_idle(mirror) for mirror in run.mirrors))

    def of(self, mirror: SimulatedMirror) -> int:
        """The bytes that a mirror was asked for."""
        return sum(body.part[1] - body.part[0] for body in mirror.bodies)


class SpeedTests(StripedCase):
    def test_speeds(self) -> None:
        """The sum of what mirrors give is used, whatever the speed of each, but for a part of a second; the slow one costs nothing."""
        for speeds, limit in (
            ((500, 500, 500), 4.9),
            ((500, 500, 50), 7.2),
            ((500, 500, 5), 7.2),
            ((500, 50, 500), 7.2),
            ((50, 500, 500), 7.2),
            ((5, 500, 500), 7.2),
        ):
            run = self.play(*map(giving, speeds))
            self.assertLessEqual(run.seconds, limit, speeds)
            self.assertLessEqual(run.shares(), LARGE.size * 1.1, speeds)

    def test_slow_start(self) -> None:
        """A mirror that answers after a second and a half costs no more than its share."""
        for place in range(3):
            behaviours = [giving(500), giving(500), giving(500)]
            behaviours[place] = giving(500, delay=1.5)
            self.assertLessEqual(self.play(*behaviours).seconds, 7.2)

    def test_one_fails(self) -> None:
        """A mirror that hangs, dies or is cut in the middle costs a tenth of the time of the others at most, and no byte thrice."""
        for kind in ("stalls", "breaks", "ends"):
            for at in (0, 3_000_000, LARGE.size - 1):
                for place in range(3):
                    behaviours = [giving(500), giving(500), giving(500)]
                    behaviours[place] = giving(500, faults=(Fault(at, kind),))
                    run = self.play(*behaviours)
                    self.assertLessEqual(run.seconds, 7.2, (kind, at, place))
                    self.assertLessEqual(run.scene.traffic[NAME].times_given, 2)

    def test_shared_line(self) -> None:
        """Where all mirrors share one line the file is not later than from one by more than a twentieth, and the next one is asked of one."""
        ticks = 100
        scene, line = self.scene(), Line()
        mirrors = scene.mirrors([Behaviour(file=FILE, piece=4 * KIB, interval=1 / ticks - 1e-6, line=line)] * 3)
        lines = Lines(3, SIZES)
        run = self.begin(scene, mirrors, Terms(lines=lines))
        scene.pass_time(20, ticks)
        self.assert_right(run, lines)
        self.assertLessEqual(run.seconds, LARGE.size / (400 * KIB) * 1.05)
        self.assertLess(lines.width(scene.clock.seconds()), 3)
        self.assertLessEqual(run.shares(), LARGE.size * 1.02)

    def test_near(self) -> None:
        """A mirror on the LAN is used to the end, though others give far more."""
        run = self.play(giving(60, near=True), giving(500), giving(500))
        self.assertGreater(self.of(run.mirrors[0]), 64 * KIB)
        last = max(when for mirror in run.mirrors for when, _ in mirror.asked)
        self.assertGreater(run.mirrors[0].asked[-1][0], last - 3)

    def test_resting(self) -> None:
        """A mirror that has asked to be left alone is not asked, nor is one that asks for it meanwhile asked again."""
        run = self.play(giving(500, resting=True), giving(500), giving(500))
        self.assertEqual(run.mirrors[0].asked, [])


class LimitTests(StripedCase):
    def limits(self, scene: Scene, rate: float) -> Limits:
        """A limit for all that comes from mirrors."""
        bucket = TokenBucket(rate)
        return Limits(wan=lambda count: bucket.take(count, scene.clock.seconds()))

    def test_limit(self) -> None:
        """All mirrors together keep to the limit of the user, and none is taken for silent or slow because of it."""
        for rate in (200 * KIB, 20 * KIB, 2 * KIB):
            size = rate * 20
            file = FILE[:size]
            expected = ExpectedFile(size, hashlib.sha256(file).digest())
            scene = self.scene()
            mirrors = scene.mirrors([Behaviour(file=file, piece=16 * KIB, interval=TICK)] * 3)
            lines = Lines(3, SIZES)
            run = self.begin(scene, mirrors, Terms(self.limits(scene, rate), lines=lines), expected=expected)
            scene.pass_time(150, TICKS)
            self.successResultOf(run.running)
            self.assertEqual(run.client.got, file)
            self.assertGreater(run.seconds, 19 - 3 * 16 * KIB / rate)
            self.assertLess(run.seconds, 22)
            self.assertEqual(run.shares(), size)
            self.assertTrue(all(verdict == "succeeded" for mirror in mirrors for verdict in mirror.verdicts))
            self.assertIsNone(mirrors[0].rate)


class SharingTests(StripedCase):
    def many(self, count: int, *behaviours: Behaviour) -> list[Run]:
        """So many downloads at the same time from the same mirrors."""
        scene = self.scene()
        mirrors, lines = scene.mirrors(behaviours), Lines(3, SIZES)
        terms = Terms(lines=lines)
        runs = [self.begin(scene, mirrors, terms, name=f"{number}.pkg") for number in range(count)]
        scene.pass_time(200, TICKS)
        for run in runs:
            self.assert_right(run, lines)
            traffic = scene.traffic[run.download.name]
            self.assertLessEqual((traffic.mirrors, traffic.of_one), (3, 1))
            self.assertLessEqual((traffic.of_byte, traffic.times_given), (2, 2))
        return runs

    def test_two_downloads(self) -> None:
        """Two files of the same mirrors come at once, and take all that mirrors give together."""
        runs = self.many(2, *[giving(500)] * 3)
        self.assertLessEqual(max(run.seconds for run in runs), 2 * LARGE.size / (1500 * KIB) * 1.15)

    def test_five_downloads(self) -> None:
        """Each of five files begins at another mirror, and a mirror that becomes idle joins a download that still runs."""
        line = [giving(500, Line()) for _ in range(3)]
        runs = self.many(5, *line)
        # The first file is asked of all of them, since they have nothing else to do then.
        self.assertEqual(sorted(sum(when == 0.0 for when, _ in mirror.asked) for mirror in runs[0].mirrors), [2, 2, 3])
        self.assertGreater(max(runs[0].scene.traffic[run.download.name].mirrors for run in runs), 1)
        self.assertLessEqual(max(run.seconds for run in runs), 5 * LARGE.size / (1500 * KIB) * 1.2)

    def test_small_files(self) -> None:
        """Files that are too small to be divided begin at different mirrors when they are asked for together, before any of these has answered."""
        scene = self.scene()
        mirrors, terms = scene.mirrors([Behaviour(delay=0.2)] * 3), Terms(lines=Lines(3))
        running = [Deferred.fromCoroutine(scene.download(mirrors, terms=terms).run()) for _ in range(5)]
        self.assertEqual(sorted(len(mirror.asked) for mirror in mirrors), [1, 2, 2])
        scene.pass_time(60, TICKS)
        for one in running:
            self.successResultOf(one)
        self.assertTrue(all(terms.lines.is_idle(mirror) for mirror in mirrors))

    def test_no_mirror_is_idle(self) -> None:
        """A download whose mirror fails while others use all mirrors is not left without one."""
        runs = self.many(4, giving(500, Line(), faults=(None, None, Fault(100_000, "breaks"))), giving(500, Line()), giving(500, Line()))
        self.assertLessEqual(max(run.client.longest for run in runs), 5.0)


class EndingTests(StripedCase):
    def begun(self, *behaviours: Behaviour, leaders: Leaders | None = None) -> tuple[Run, Lines]:
        """A download that has run for two seconds."""
        scene = self.scene()
        lines = Lines(3, SIZES)
        run = self.begin(scene, scene.mirrors(behaviours), Terms(lines=lines), leaders=leaders)
        scene.pass_time(2, TICKS)
        self.assertFalse(run.running.called)
        return run, lines

    def test_cancelled(self) -> None:
        """A download that is cancelled ends at once, and so does all that it asked for."""
        run, lines = self.begun(*[giving(500)] * 3)
        run.running.cancel()
        self.failureResultOf(run.running, CancelledError)
        self.assertEqual((run.client.complete, run.download.file.progress), (False, Progress.FAILED))
        self.assert_left_nothing(run.scene, run.mirrors)
        self.assertTrue(all(lines.is_idle(mirror) for mirror in run.mirrors))

    def leader(self, scene_clock: object, behaviour: Behaviour) -> SimulatedMirror:
        leader = SimulatedMirror(scene_clock, 9, behaviour)  # type: ignore[arg-type]
        leader.divisible = False
        return leader

    def test_joins_a_leader(self) -> None:
        """Another host that downloads the file as well is followed from the exact byte on, and the mirrors are left."""
        scene = self.scene()
        leader = self.leader(scene.clock, giving(2000))
        known, lines = Follow(leader), Lines(3, SIZES)
        run = self.begin(scene, scene.mirrors([giving(500)] * 3), Terms(lines=lines), leaders=known)
        scene.pass_time(2, TICKS)
        written = run.download.file.written
        asked = [len(mirror.asked) for mirror in run.mirrors]
        known.hear()
        scene.pass_time(60, TICKS)
        self.assert_right(run, lines)
        self.assertEqual([first for _, first in leader.asked], [written])
        self.assertEqual([len(mirror.asked) for mirror in run.mirrors], asked)

    def test_leader_is_of_no_use(self) -> None:
        """When the host that was joined breaks off all mirrors go on, with the bytes that are missing."""
        scene = self.scene()
        leader = self.leader(scene.clock, giving(2000, faults=(Fault(3_500_000, "breaks"),)))
        known, lines = Follow(leader), Lines(3, SIZES)
        run = self.begin(scene, scene.mirrors([giving(500)] * 3), Terms(lines=lines), leaders=known)
        scene.pass_time(2, TICKS)
        known.hear()
        scene.pass_time(60, TICKS)
        self.assert_right(run, lines)
        self.assertEqual(scene.traffic[NAME].mirrors, 3)
        self.assertGreater(min(first for mirror in run.mirrors for when, first in mirror.asked if when > 2.5), 3_000_000)

    def test_disk_is_full(self) -> None:
        """A download ends when its bytes can't be written, and so does all that it asked for."""
        run, lines = self.begun(*[giving(500)] * 3)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "no space left on device")

        run.download.file.place = run.download.file.write = full  # type: ignore[method-assign,assignment]
        run.scene.pass_time(2, TICKS)
        self.assertEqual(self.failureResultOf(run.running, OSError).value.errno, errno.ENOSPC)
        self.assertFalse(run.client.complete)
        self.assert_left_nothing(run.scene, run.mirrors)
        self.assertTrue(all(lines.is_idle(mirror) for mirror in run.mirrors))

    def test_whole_files_only(self) -> None:
        """A mirror that gives whole files only is asked for a part once in an hour."""
        scene, lines = self.scene(), Lines(3, SIZES)
        mirrors = scene.mirrors([giving(500), giving(500, ranges=False), giving(500)])
        for _ in range(2):
            run = self.begin(scene, mirrors, Terms(lines=lines))
            scene.pass_time(60, TICKS)
            self.assert_right(run, lines)
        self.assertEqual(len(mirrors[1].asked), 1)
        scene.clock.advance(UNDIVIDED_MEMORY)
        run = self.begin(scene, mirrors, Terms(lines=lines))
        scene.pass_time(60, TICKS)
        self.assert_right(run, lines)
        self.assertEqual(len(mirrors[1].asked), 2)

    def test_window(self) -> None:
        """Of a file whose beginning is held up no more is fetched ahead than the disk should hold."""
        run = self.play(giving(500), giving(500, faults=(Fault(128 * KIB, "stalls"),)), giving(500))
        self.assertLessEqual(run.client.longest, 5.0)

    def test_tail(self) -> None:
        """All mirrors end at nearly the same moment."""
        run = self.play(*[giving(500)] * 3)
        last = sorted(mirror.asked[-1][0] for mirror in run.mirrors)
        self.assertGreater(last[0], run.seconds - 1.6)

    def test_answers_and_bytes_at_once(self) -> None:
        """Mirrors that answer, and give all bytes, before the question has been put to the end leave nothing behind."""
        for interval in (0.0, 0.25):
            run = self.play(*[Behaviour(file=FILE, piece=LARGE.size, interval=interval)] * 3)
            self.assertLessEqual(run.shares(), LARGE.size)

    def test_end_is_not_marked(self) -> None:
        """A mirror that gave all of a part has not failed when it does not say that this was the end."""
        scene, lines = self.scene(), Lines(2, Sizes(file=1000, first=6000, least=6000, most=6000, alone=6000, window=20_000))
        mirrors = scene.mirrors([Behaviour(faults=(Fault(6000, "breaks"),), chunked=True), Behaviour(piece=500, interval=0.5)])
        run = self.begin(scene, mirrors, Terms(lines=lines), expected=EXPECTED)
        scene.pass_time(60)
        self.successResultOf(run.running)
        self.assertEqual((run.client.got, mirrors[0].verdicts[:1]), (DATA, ["succeeded"]))

    def test_other_size(self) -> None:
        """A mirror whose file has another size than the database states, or that is shorter, is asked once."""
        for content in ("longer", "half"):
            scene, lines = self.scene(), Lines(2, Sizes(file=1000, first=6000, least=6000, most=6000, alone=6000, window=20_000))
            mirrors = scene.mirrors([Behaviour(piece=500, interval=0.5), Behaviour(content)])
            run = self.begin(scene, mirrors, Terms(lines=lines), expected=EXPECTED)
            scene.pass_time(60)
            self.successResultOf(run.running)
            self.assertEqual((run.client.got, len(mirrors[1].asked)), (DATA, 1))

    def test_all_ask_to_be_left_alone(self) -> None:
        """When every mirror asks to be left alone meanwhile nobody waits until they may be asked again."""
        scene, lines = self.scene(), Lines(2, SIZES)
        mirrors = scene.mirrors([giving(500, faults=(Fault(50_000, "breaks"),))] * 2)
        for mirror in mirrors:
            mirror.failed = partial(setattr, mirror, "behaviour", Behaviour(status=503, resting=True))  # type: ignore[method-assign]
        run = self.begin(scene, mirrors, Terms(lines=lines))
        scene.pass_time(3, TICKS)
        self.failureResultOf(run.running, FetchError)

    def test_dead_mirrors(self) -> None:
        """As many dead mirrors as are asked at once, or twice as many, keep nobody waiting for long, whatever the one that is well can do."""
        for dead in (2, 4):
            for well in (giving(500), giving(500, ranges=False)):
                run = self.play(*[giving(500, delay=1e6)] * dead, well, at_once=2)
                self.assertLessEqual(run.client.first_after, 8.0)

    def test_untrusted(self) -> None:
        """Bytes of hosts that are not trusted are not handed on before the file was checked."""
        scene = self.scene()
        mirrors = scene.mirrors([giving(500)] * 3, trusted=False)
        run = self.begin(scene, mirrors, Terms(lines=Lines(3, SIZES)))
        scene.pass_time(2, TICKS)
        self.assertGreater(run.download.file.written, 100 * KIB)
        self.assertLess(len(run.client.got), 10 * KIB)
        run.running.cancel()
        self.failureResultOf(run.running, CancelledError)

    def test_resumed(self) -> None:
        """Bytes that are there already, wherever they belong, are not asked for."""
        scene, lines = self.scene(), Lines(3, SIZES)
        mirrors = scene.mirrors([giving(500)] * 3)
        download = Download(NAME, Arrival(LARGE, Storage(scene.create)), mirrors, scene.clock, Terms(lines=lines))
        download.file.write(FILE[:1_000_000])
        for first, end in ((2_000_000, 2_500_000), (5_000_000, LARGE.size)):
            download.file.place(first, FILE[first:end])
        running = Deferred.fromCoroutine(download.run())
        scene.pass_time(60, TICKS)
        self.successResultOf(running)
        asked = sorted(scene.traffic[NAME].given)
        self.assertEqual(sum(end - first for first, end in asked), 3_500_000)
        self.assertEqual((asked[0][0], max(end for _, end in asked)), (1_000_000, 5_000_000))
