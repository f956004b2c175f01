"""Tests for `pacserve.transfer.lines`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile
from pacserve.transfer.division import USUAL_SIZES, Sizes
from pacserve.transfer.lines import LIE_MEMORY, UNDIVIDED_MEMORY, WIDTH_MEMORY, Lines
from tests.fakes.upstreams import Mirror
from tests.unit.transfer.simulator import Behaviour, SimulatedMirror

NOW = 1000.0
LARGE = ExpectedFile(USUAL_SIZES.file, bytes(32))


class Server(Mirror):
    """
    A mirror that gives parts.

    Attributes:
        failed_lately: Whether it is asked after the others.
        address: What tells its machine; the label where there is none.
    """

    divisible = True
    failed_lately = False
    address = ""

    @property
    def machine(self) -> str:
        return self.address or self.label

    @property
    def sound(self) -> bool:
        return not self.failed_lately


class TakenFromTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mirrors = [Server(Clock(), f"mirror {name}", b"") for name in "abcd"]

    def taken_from(self, lines: Lines, expected: ExpectedFile | None = LARGE, now: float = NOW) -> str:
        """The names of the mirrors."""
        return "".join([mirror.label[-1] for mirror in lines.taken_from(expected, self.mirrors, now)])

    def test_number(self) -> None:
        """A large file comes from the first mirrors, as many as may be asked at once, or as this host's line has use for."""
        self.assertEqual([self.taken_from(Lines(number)) for number in (1, 2, 3, 16)], ["", "ab", "abc", "abcd"])
        lines = Lines(3)
        for width, names in ((2, "ab"), (1, ""), (9, "abc")):
            lines.learn_width(width, NOW)
            self.assertEqual(self.taken_from(lines), names)
        lines.learn_width(2, NOW)
        self.assertEqual(self.taken_from(lines, now=NOW + WIDTH_MEMORY), "abc")

    def test_file(self) -> None:
        """A file that is small, unknown, or can't be checked comes from one mirror at a time."""
        for expected in (None, ExpectedFile(LARGE.size, None), ExpectedFile(LARGE.size - 1, bytes(32))):
            self.assertEqual(self.taken_from(Lines(3), expected), "")

    def test_mirrors(self) -> None:
        """A mirror that failed lately, wants to be left alone or gives whole files only is left out; with fewer than two others none is named."""
        lines = Lines(3)
        self.mirrors[0].failed_lately = True
        self.assertEqual(self.taken_from(lines), "bcd")
        self.mirrors[1].rests = True
        self.assertEqual(self.taken_from(lines), "cd")
        lines.refused_parts(self.mirrors[2], NOW)
        self.assertEqual(self.taken_from(lines), "")

    def test_one_machine(self) -> None:
        """A machine that is reached in two ways is one mirror: it gives one part of a file at a time, and what it gives in either way counts."""
        self.mirrors[0].address = self.mirrors[1].address = "a"
        lines = Lines(3)
        self.assertEqual(self.taken_from(lines), "acd")
        lines.begin(self.mirrors[1])
        self.assertEqual([lines.is_idle(mirror) for mirror in self.mirrors], [False, False, True, True])
        self.assertEqual([mirror.label[-1] for mirror in lines.spread(self.mirrors)], ["c", "a", "b", "d"])
        lines.begin(self.mirrors[2])
        lines.begin(self.mirrors[3])
        lines.end(self.mirrors[1])
        self.assertEqual([mirror.label[-1] for mirror in lines.spread(self.mirrors)], ["a", "b", "c", "d"])
        self.assertEqual(self.taken_from(Lines(3), now=NOW), "acd")
        for mirror in self.mirrors[2:]:
            mirror.rests = True
        self.assertEqual(self.taken_from(lines), "")

    def test_peers(self) -> None:
        """A file that begins to come from a host which gives no parts, as peers, comes from one host at a time."""
        self.mirrors.insert(0, Server(Clock(), "peer x", b""))
        self.mirrors[0].divisible = False
        self.assertEqual(self.taken_from(Lines(3)), "")


SIZES = Sizes(file=1000)
DIVIDED = ExpectedFile(1000, bytes(32))


def mirrors(*behaviours: Behaviour) -> list[SimulatedMirror]:
    """Mirrors, each with a label of its own."""
    return [SimulatedMirror(Clock(), number, behaviour) for number, behaviour in enumerate(behaviours)]


THREE = (Behaviour(), Behaviour(), Behaviour())


def test_files_that_are_divided() -> None:
    """A file is divided that is large, whose digest is stated, and that several mirrors may have."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE)
    assert lines.divided(DIVIDED, hosts, 0.0) == hosts
    for expected in (None, ExpectedFile(999, bytes(32)), ExpectedFile(1000, None)):
        assert not lines.divided(expected, hosts, 0.0)
    assert not lines.divided(DIVIDED, [], 0.0)
    assert not lines.divided(DIVIDED, hosts[:1], 0.0)
    assert not Lines(1, SIZES).divided(DIVIDED, hosts, 0.0)


def test_hosts_that_are_asked_for_parts() -> None:
    """They are mirrors that do not rest, each once however many of its Server lines there are, and none where another host comes first."""
    lines, hosts = Lines(3, SIZES), mirrors(Behaviour(), Behaviour(resting=True), Behaviour(), Behaviour(sound=False))
    twice = SimulatedMirror(Clock(), 0, Behaviour())
    peer = SimulatedMirror(Clock(), 9, Behaviour())
    peer.divisible = False
    assert lines.divided(DIVIDED, [hosts[0], twice, hosts[1], peer, *hosts[2:]], 0.0) == [hosts[0], hosts[2], hosts[3]]
    assert not lines.divided(DIVIDED, [peer, *hosts], 0.0)


def test_mirror_that_gives_no_parts() -> None:
    """It is not asked for parts for an hour."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE)
    lines.refused_parts(hosts[1], 0.0)
    assert lines.divided(DIVIDED, hosts, UNDIVIDED_MEMORY - 1) == [hosts[0], hosts[2]]
    assert lines.divided(DIVIDED, hosts, UNDIVIDED_MEMORY + 1) == hosts


def test_rest_of_a_file_of_which_later_bytes_are_here() -> None:
    """It is asked for in parts even of a single mirror."""
    hosts = mirrors(*THREE)
    for lines, there in ((Lines(1, SIZES), hosts), (Lines(3, SIZES), hosts[:1])):
        assert lines.divided(DIVIDED, there, 0.0, gaps=True) == there
        assert not lines.divided(DIVIDED, there, 0.0)


def test_hosts_that_gave_a_file_wrong() -> None:
    """They are not asked for that file again for a while, unless there is nobody else."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE)
    lines.lied(hosts[0], DIVIDED, 0.0)
    lines.lied(hosts[1], ExpectedFile(1000, None), 0.0)
    for other in (None, ExpectedFile(1000, None), ExpectedFile(1000, bytes([1] * 32))):
        assert lines.honest(other, hosts, 0.0) == hosts
    assert lines.honest(DIVIDED, hosts[:1], 0.0) == hosts[:1]
    assert lines.honest(DIVIDED, hosts, LIE_MEMORY - 1) == hosts[1:]
    assert lines.honest(DIVIDED, hosts, LIE_MEMORY + 1) == hosts


def test_width() -> None:
    """The number of mirrors that the line of this host has use for is remembered for a while, between one and as many as the user wants."""
    lines = Lines(3, SIZES)
    assert lines.width(0.0) == 3
    for learned, width in ((2, 2), (0, 1), (9, 3)):
        lines.learn_width(learned, 0.0)
        assert (lines.width(WIDTH_MEMORY - 1), lines.width(WIDTH_MEMORY + 1)) == (width, 3)
    lines.learn_width(2, 0.0)
    lines.forget_width()
    assert lines.width(0.0) == 3


def test_each_download_begins_at_another_mirror() -> None:
    """The mirror with the least to do comes first, of those that one file would be taken from at once."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE, Behaviour())
    firsts = []
    for _ in range(5):
        first, *others = lines.spread(hosts)
        assert others == [host for host in hosts if host is not first]
        lines.begin(first)
        firsts.append(first)
    assert firsts == [*hosts[:3], *hosts[:2]]
    for first in firsts:
        lines.end(first)
    assert all(lines.is_idle(host) for host in hosts)


def test_fast_mirror_is_taken_twice() -> None:
    """A mirror that is ten times as fast has room for a second file before a slow one has for its first."""
    lines, hosts = Lines(2, SIZES), mirrors(Behaviour(speed=1e6), Behaviour(speed=1e5))
    lines.begin(hosts[0])
    assert lines.spread(hosts) == hosts


def test_rates_that_are_alike_do_not_count() -> None:
    """Small files say little about how fast mirrors are, so the one with less to do comes first; one that gave nothing lately comes last."""
    lines, hosts = Lines(3, SIZES), mirrors(Behaviour(speed=1e6), Behaviour(speed=4e5), Behaviour(speed=0.0))
    lines.begin(hosts[0])
    assert lines.by_load(hosts) == [hosts[1], hosts[0], hosts[2]]


def test_other_downloads() -> None:
    """Mirrors are shared where they give more than what one download knows of."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE)
    lines.begin(hosts[0])
    lines.begin(hosts[0])
    assert [lines.are_shared(flows) for flows in (1, 2)] == [True, False]
    lines.end(hosts[0])
    assert not lines.are_shared(1)


def test_order_that_is_kept() -> None:
    """A mirror on the LAN keeps its place, and so does a first one that rests, or that is no mirror; hosts that failed lately come last."""
    peer = mirrors(Behaviour())[0]
    peer.divisible = False
    for first in (*mirrors(Behaviour(near=True), Behaviour(resting=True)), peer):
        lines, hosts = Lines(3, SIZES), [first, *mirrors(Behaviour(), *THREE)[1:]]
        lines.begin(first)
        assert lines.spread(hosts) == hosts
    lines, hosts = Lines(1, SIZES), mirrors(*THREE)
    lines.begin(hosts[0])
    assert lines.spread(hosts) == hosts
    hosts = mirrors(Behaviour(sound=False), Behaviour(), Behaviour(sound=False), Behaviour())
    assert lines.spread(hosts) == [hosts[1], hosts[3], hosts[0], hosts[2]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=40))
def test_flows(events: list[tuple[bool, int]]) -> None:
    """A mirror is idle when as many flows have ended as began, and the more it gives the later is its turn."""
    lines, hosts = Lines(3, SIZES), mirrors(*THREE)
    flows = [0, 0, 0]
    for begins, number in events:
        if begins:
            lines.begin(hosts[number])
            flows[number] += 1
        elif flows[number]:
            lines.end(hosts[number])
            flows[number] -= 1
    assert [lines.is_idle(host) for host in hosts] == [not count for count in flows]
    assert lines.spread(hosts)[0] is hosts[flows.index(min(flows))]
