"""`--misses fetch` with several mirrors out in the Internet, each on a link of its own: what each gives, and what happens when one of them fails."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PACSERVE, Daemon, Depot, Host, Lab, Link, Mirror, MirrorRequest, Package, Site, build_repository, wait_until
from tests.e2e.lab.connections import Connections
from tests.e2e.lab.packages import EPOCH
from tests.e2e.lab.slowness import assert_at_most, limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_fetch_failures import fetching, restart
from tests.e2e.test_peer_failures import start_big_download

# With three of these the big package takes 3.3 s, with two 5.
LINK = Link(mbit=20, rtt_ms=20)
FIVE = [f"part{number}" for number in range(5)]
FIVE_SIZE = 8_000_000
# Connections that a daemon may have to one mirror for one file, and mirrors that it may use for one.
MOST_CONNECTIONS = 2
# Part of a file that a mirror has given if it was used at all for it.
SHARE = 0.1
# Seconds that a mirror asks to be left alone, longer than the download takes.
REST = 60
PACKAGES = r"location ~ \.pkg\.tar\.zst$"
UNTIL_LATER = f"add_header Retry-After {REST} always;"


@pytest.fixture(scope="module")
def five(depot: Depot, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[Package]]:
    """The root of mirrors of five packages of some megabytes each, and these."""
    root = tmp_path_factory.mktemp("five")
    root.chmod(0o755)
    return root, build_repository(root, depot.key, "core", [(name, "1.0-1", FIVE_SIZE) for name in FIVE])


def add_mirrors(lab: Lab, root: Path, *directives: str, link: Link = LINK) -> list[Mirror]:
    """Adds a mirror for each of these lines of nginx's server block, and lets all hosts use them."""
    mirrors = [lab.add_mirror(link, Site(80, root, lines)) for lines in directives]
    use(lab, mirrors)
    return mirrors


def use(lab: Lab, mirrors: Sequence[Mirror]) -> None:
    for host in lab.hosts:
        host.configure(servers=[PACSERVE, *(mirror.server for mirror in mirrors)])


def given(mirror: Mirror) -> int:
    """The bytes of packages that a mirror gave."""
    return sum(request.sent for request in mirror.package_downloads())


def most_often(requests: Sequence[MirrorRequest]) -> int:
    """How often the byte was sent that was sent most often, of the files of these requests."""
    edges: list[tuple[str, int, int]] = []
    for request in requests:
        begin, _ = asked(request)
        edges += [(request.name, begin, 1), (request.name, begin + request.sent, -1)]
    return _highest(edges)


def asked(request: MirrorRequest) -> tuple[int, int]:
    """The range that a request names, as first byte and end; the end is after all files where none is named."""
    named = re.fullmatch(r"bytes=(\d+)-(\d*)", request.range)
    return (int(named[1]), int(named[2]) + 1 if named[2] else 1 << 62) if named else (0, 1 << 62)


def most_at_once(requests: Sequence[MirrorRequest]) -> int:
    """How many of these requests were answered at the same moment at most."""
    return _highest([edge for one in requests for edge in (("", one.ended - one.took, 1), ("", one.ended, -1))])


def _highest(edges: Sequence[tuple[str, float, int]]) -> int:
    """The highest sum of the steps up and down, by name and place; at one place, steps down count first."""
    height = highest = 0
    for _, _, step in sorted(edges):
        height += step
        highest = max(highest, height)
    return highest


@contextmanager
def connections_watched(mirrors: Sequence[Mirror]) -> Iterator[None]:
    """Asserts in the end that no host ever had more connections to a mirror than it may have."""
    with ExitStack() as stack:
        watches = [stack.enter_context(Connections(mirror)) for mirror in mirrors]
        yield
    for watch in watches:
        assert all(count <= MOST_CONNECTIONS for count in watch.most.values()), watch.most


def assert_spooled(host: Host, packages: Sequence[Package]) -> None:
    """These packages and no parts of others are in a spool, and are right."""
    folder = host.dir / "spool" / "pkg"
    wait_until(lambda: {path.name for path in folder.iterdir()} >= {package.filename for package in packages}, "the spool")
    for package in packages:
        with (folder / package.filename).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == package.sha256


def assert_modest(mirrors: Sequence[Mirror]) -> None:
    """No byte was sent more than twice by all mirrors together, and none of them had more than two requests of a host at once."""
    assert most_often([request for mirror in mirrors for request in mirror.package_downloads()]) <= 2
    for mirror in mirrors:
        assert most_at_once(mirror.package_downloads()) <= MOST_CONNECTIONS


@pytest.mark.parametrize("link", [LINK, Link(mbit=50, rtt_ms=5, loss_percent=0.1), Link(mbit=50, rtt_ms=200)], ids=["near", "lossy", "far"])
def test_three_good(make_lab: MakeLab, depot: Depot, link: Link) -> None:
    """A big file comes from three mirrors at once, each with at most two connections, and is right; the log says what each of them gave."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    mirrors = add_mirrors(lab, depot.signed, "", "", "", link=link)
    daemon = fetching(host)
    host.pacman("-Sy")
    with connections_watched(mirrors):
        done = host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert "error" not in done.stderr
    assert_spooled(host, [depot.packages["big"]])
    assert_modest(mirrors)
    idle = [mirror.name for mirror in mirrors if given(mirror) < SHARE * depot.packages["big"].size]
    assert len(idle) < len(mirrors) - 1
    if link is LINK:  # far away, or with losses, one connection may be much slower than another, and its mirror gives little or is left
        # A mirror whose help is not seen is left, and on a busy machine little is seen of it.
        assert_at_most(len(idle), 0, f"mirrors that gave little: {idle}")
    (line,) = daemon.requests(depot.packages["big"].filename)
    shares = [int(size) for size in re.findall(r" http://\S+ (\d+) bytes,", line.partition(" 200 from mirrors")[2])]
    assert 1 < len(shares) <= sum(given(mirror) > 0 for mirror in mirrors)
    assert sum(shares) == depot.packages["big"].size
    daemon.stop()


def test_five_at_once(make_lab: MakeLab, five: tuple[Path, Sequence[Package]]) -> None:
    """Five files that pacman asks for at once are spread over three mirrors."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    root, packages = five
    mirrors = add_mirrors(lab, root, "", "", "")
    daemon = fetching(host)
    host.pacman("-Sy")
    done = host.pacman("-S", *FIVE)
    assert host.installed() == set(FIVE)
    assert "error" not in done.stderr
    assert_spooled(host, packages)
    assert most_often([request for mirror in mirrors for request in mirror.package_downloads()]) <= 2
    # The last ones come from whichever mirror is free: each gives more than one file's worth of five.
    assert [mirror.name for mirror in mirrors if given(mirror) < FIVE_SIZE / 2] == []
    daemon.stop()


def _freeze(lab: Lab, mirror: Mirror) -> None:
    mirror.freeze()


def _kill(lab: Lab, mirror: Mirror) -> None:
    mirror.kill()


def _blackhole(lab: Lab, mirror: Mirror) -> None:
    lab.blackhole(mirror)


def _slow_down(lab: Lab, mirror: Mirror) -> None:
    lab.change_rate(mirror, LINK.mbit / 10)


MIDWAY: dict[str, Callable[[Lab, Mirror], None]] = {"hangs": _freeze, "is killed": _kill, "is cut off": _blackhole, "becomes slow": _slow_down}


@pytest.mark.parametrize(("failure", "place"), [*((failure, 0) for failure in MIDWAY), ("hangs", 2)])
def test_fails_in_mid_file(make_lab: MakeLab, depot: Depot, failure: str, place: int) -> None:
    """When one of three mirrors, the first or the last, fails in the middle of a file, pacman notices nothing."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    mirrors = add_mirrors(lab, depot.signed, "", "", "")
    daemon = fetching(host)
    host.pacman("-Sy")
    with connections_watched(mirrors):
        pacman = start_big_download(host, depot)
        MIDWAY[failure](lab, mirrors[place])
        assert pacman.wait(limit(60)) == 0
    assert host.installed() == {"big"}
    assert "error" not in (host.dir / "log" / "pacman.out.log").read_text()
    assert_spooled(host, [depot.packages["big"]])
    assert_modest(mirrors)
    daemon.stop()


@pytest.mark.parametrize(
    ("directives", "refusals"),
    [
        (f"{PACKAGES} {{ return 404; }}", {404}),
        (f"{PACKAGES} {{ {UNTIL_LATER} return 429; }}", {429}),
        (f"{PACKAGES} {{ {UNTIL_LATER} return 503; }}", {503}),
        (f"{PACKAGES} {{ {UNTIL_LATER} limit_req zone=requests; limit_req_status 429; }}", {429}),
        (f"{PACKAGES} {{ {UNTIL_LATER} limit_req zone=requests; limit_req_status 503; }}", {503}),
        (f"{PACKAGES} {{ limit_conn connections 1; limit_conn_status 444; }}", {444}),
        (f"{PACKAGES} {{ limit_conn connections 1; }}", {503}),
    ],
    ids=["lacks it", "429", "503", "429 to the second", "503 to the second", "closes the second", "refuses the second"],
)
def test_refuses(make_lab: MakeLab, depot: Depot, directives: str, refusals: set[int]) -> None:
    """A mirror that refuses a file, any request for a while, or a second connection, is left alone as it asks, and pacman notices nothing."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    mirrors = add_mirrors(lab, depot.signed, directives, "", "")
    daemon = fetching(host)
    host.pacman("-Sy")
    done = host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert "error" not in done.stderr
    assert_spooled(host, [depot.packages["big"]])
    assert_modest(mirrors)
    refused = [request for request in mirrors[0].requests("GET") if request.name == depot.packages["big"].filename and request.status in refusals]
    assert len(refused) <= 1, refused
    daemon.stop()


@pytest.mark.parametrize("fast", [2, 20], ids=["stays slow", "becomes fast"])
def test_slow_from_the_start(make_lab: MakeLab, depot: Depot, fast: float) -> None:
    """A mirror that begins ten times slower than the others, and may become as fast, keeps nothing up."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    mirrors = add_mirrors(lab, depot.signed, "", "", "")
    lab.change_rate(mirrors[0], 2)
    daemon = fetching(host)
    host.pacman("-Sy")
    timer = threading.Timer(2, lab.change_rate, (mirrors[0], fast))
    timer.start()
    with connections_watched(mirrors):
        done = host.pacman("-S", "big")
    timer.join()
    assert host.installed() == {"big"}
    assert "error" not in done.stderr
    assert_spooled(host, [depot.packages["big"]])
    assert_modest(mirrors)
    daemon.stop()


def _here_and_there(content: bytes) -> bytes:
    """As many bytes, one of each 100,000 another: whichever part is asked for is wrong."""
    damaged = bytearray(content)
    for place in range(0, len(content), 100_000):
        damaged[place] ^= 1
    return bytes(damaged)


def _throughout(content: bytes) -> bytes:
    """As many bytes, each of them another."""
    return content.translate(bytes(255 - byte for byte in range(256)))


@pytest.mark.parametrize(("damage", "place"), [(_here_and_there, 0), (_throughout, 2)])
def test_corrupt(make_lab: MakeLab, depot: Depot, tmp_path: Path, damage: Callable[[bytes], bytes], place: int) -> None:
    """With one mirror whose file is wrong, pacman ends well in its second run at the latest; the log names the mirror, and the spool is right."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    package = depot.packages["big"]
    wrong = _copy(depot, tmp_path, package, damage)
    roots = [wrong if number == place else depot.signed for number in range(3)]
    mirrors = [lab.add_mirror(LINK, Site(80, root)) for root in roots]
    use(lab, mirrors)
    daemon = fetching(host)
    host.pacman("-Sy")
    if host.pacman("-S", "big", check=False).returncode:
        host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert_spooled(host, [package])
    assert most_often([request for mirror in mirrors for request in mirror.package_downloads()]) <= 3
    daemon.wait_for(rf"{re.escape(mirrors[place].public_ip)}.* gave a wrong file")
    assert not [mirror for number, mirror in enumerate(mirrors) if number != place and f"{mirror.public_ip} gave a wrong file" in daemon.text()]
    daemon.stop()


def _copy(depot: Depot, folder: Path, package: Package, damage: Callable[[bytes], bytes]) -> Path:
    """Makes the root of a mirror that has one package, damaged, with the size and date of the right one, and its true signature."""
    repository = folder / "wrong" / "core" / "os" / "x86_64"
    repository.mkdir(parents=True)
    (repository / package.filename).write_bytes(damage(package.path.read_bytes()))
    os.utime(repository / package.filename, (EPOCH, EPOCH))
    for name in ("core.db", f"{package.filename}.sig"):
        shutil.copy2(depot.folder() / name, repository / name)
    return repository.parents[2]


def test_one_bottleneck(make_lab: MakeLab, depot: Depot) -> None:
    """With two of three mirrors behind one link the file comes as well."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    first = lab.add_mirror(LINK, Site(80, depot.signed))
    mirrors = [first, lab.add_mirror(Link(), Site(80, depot.signed), behind=first), lab.add_mirror(LINK, Site(80, depot.signed))]
    use(lab, mirrors)
    daemon = fetching(host)
    host.pacman("-Sy")
    with connections_watched(mirrors):
        host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert_spooled(host, [depot.packages["big"]])
    assert_modest(mirrors)
    daemon.stop()


def test_eight_hosts(make_lab: MakeLab, depot: Depot) -> None:
    """When eight hosts fetch a big file at the same moment, it comes over the WAN once, whichever mirrors gave it."""
    lab = make_lab(hosts=8)
    mirrors = add_mirrors(lab, depot.signed, "", "", "")
    daemons = [Daemon(host, "--multicast", "--misses", "fetch", "--spool", str(host.dir / "spool")) for host in lab.hosts]
    know_each_other(lab.hosts, daemons)
    for host in lab.hosts:
        host.pacman("-Sy")
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "p.log") for host in lab.hosts]
    assert [pacman.wait(limit(60)) for pacman in running] == [0] * len(lab.hosts)
    assert [host.installed() for host in lab.hosts] == [{"big"}] * len(lab.hosts)
    assert_at_most(sum(map(given, mirrors)), 1.03 * depot.packages["big"].size, "bytes from the mirrors")
    for daemon in daemons[:2]:
        daemon.stop()


@pytest.mark.parametrize("part", [0.2, 0.7])
def test_killed_and_restarted(make_lab: MakeLab, depot: Depot, part: float) -> None:
    """A daemon that is killed while ranges of a file arrive goes on after its restart; no range that was whole is fetched twice."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    package = depot.packages["big"]
    mirrors = add_mirrors(lab, depot.signed, "", "", "")
    daemon = fetching(host)
    host.pacman("-Sy")
    host.spawn(["curl", "-s", "-o", str(host.dir / "got"), f"http://localhost:15678/request/core/x86_64/{package.filename}"])
    wait_until(lambda: sum(mirror.wan_bytes() for mirror in mirrors) > part * package.size, "a part of the file", 30)
    again = restart(daemon, signal.SIGKILL, host)
    before = {mirror: len(mirror.package_downloads()) for mirror in mirrors}
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert_spooled(host, [package])
    # All but the last of each mirror: a mirror is asked for a range when the one before is here, and the last was still on its way.
    earlier = [request for mirror in mirrors for request in mirror.package_downloads()[: before[mirror]][:-1]]
    later = [request for mirror in mirrors for request in mirror.package_downloads()[before[mirror] :]]
    whole = [request for request in earlier if request.status == 206 and asked(request)[1] - asked(request)[0] == request.sent]
    assert whole
    assert most_often(later) <= 2
    assert not [one for one in whole for other in later if overlap(one, other)]
    again.stop()


def overlap(one: MirrorRequest, other: MirrorRequest) -> bool:
    """Whether the bytes of two answers overlap."""
    begin, other_begin = asked(one)[0], asked(other)[0]
    return begin < other_begin + other.sent and other_begin < begin + one.sent
