"""The command line of the daemon."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pacserve import __version__
from pacserve.config import values
from pacserve.config.guide import GUIDE
from pacserve.config.parsing import Parser
from pacserve.config.settings import (
    DEFAULT_APT_PORT,
    DEFAULT_GROUPS,
    DEFAULT_MIRRORS_AT_ONCE,
    DEFAULT_MULTICAST_INTERVAL,
    DEFAULT_MULTICAST_PORT,
    DEFAULT_PACMAN_CONF,
    DEFAULT_PORT,
    DEFAULT_SPOOL,
    DEFAULT_SPOOL_SIZE,
    DEFAULT_STATE,
    LOG_LEVELS,
    Settings,
)
from pacserve.delivery.table import Hits, Misses
from pacserve.discovery.announcement import LEAST_PORT
from pacserve.discovery.filters import parse_filter
from pacserve.network.addresses import parse_endpoint, parse_network

T = TypeVar("T")

EPILOG = f"""\
To use it, put this line at the top of /etc/pacman.d/mirrorlist, and first in each repository that does not use the mirrorlist:

  Server = http://localhost:{DEFAULT_PORT}/request/$repo/$arch

--more-help explains the rest.
"""


class _MoreHelp(argparse.Action):
    """Prints the guide."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        sys.stdout.write(GUIDE)
        parser.exit(0)


def default_spool(environment: Mapping[str, str], *, root: bool) -> str:
    """Returns the folder that the service manager has made (systemd.exec(5)); else the system's cache, or the user's own where this is not root."""
    return _folder(environment, "CACHE_DIRECTORY", DEFAULT_SPOOL, root, "XDG_CACHE_HOME", ".cache")


def default_state(environment: Mapping[str, str], *, root: bool) -> str:
    """Returns the same for what is to be kept."""
    return _folder(environment, "STATE_DIRECTORY", DEFAULT_STATE, root, "XDG_STATE_HOME", ".local/state")


def _folder(environment: Mapping[str, str], given: str, default: str, root: bool, base: str, below_home: str) -> str:
    made = environment.get(given, "").partition(":")[0]
    if made or root:
        return made or default
    home = environment.get("HOME", "")
    folder = environment.get(base) or (f"{home}/{below_home}" if home else "")
    return f"{folder}/pacserve" if folder.startswith("/") else default


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of `pacserve`."""
    parser = Parser(
        prog="pacserve",
        words="is no option, and pacserve has no commands: pacsrv has them",
        usage="pacserve [options]",
        description="Makes the machines around you the first pacman mirror.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    network = parser.add_argument_group("listening")
    network.add_argument(
        "--bind",
        metavar="ADDRESS",
        action="append",
        default=[],
        type=values.argument(values.address),
        help="listen on this address only; repeatable (default: all addresses of this host, IPv6 and IPv4)",
    )
    network.add_argument(
        "--port", metavar="PORT", type=values.argument(values.port), default=DEFAULT_PORT, help="TCP port to listen on (default: %(default)s)"
    )
    pacman = parser.add_argument_group("pacman")
    pacman.add_argument(
        "--pacman-conf",
        metavar="FILE",
        type=values.argument(values.path),
        help=f"pacman's configuration, which must be there then (default: {DEFAULT_PACMAN_CONF}, where this host has pacman)",
    )
    pacman.add_argument(
        "--cache-dir",
        metavar="DIR",
        action="append",
        default=[],
        type=values.argument(values.path),
        help="a folder with packages to serve; repeatable (default: every CacheDir of pacman's configuration)",
    )
    apt = parser.add_argument_group("apt")
    apt.add_argument("--apt", action="store_true", help="answer apt as well, as its HTTP proxy (pacsrv setup --apt configures apt for it)")
    apt.add_argument(
        "--apt-port",
        metavar="PORT",
        type=values.argument(values.port),
        default=DEFAULT_APT_PORT,
        help="TCP port for apt, on this host alone, and with --clients on the addresses of --bind (default: %(default)s)",
    )
    apt.add_argument(
        "--apt-mirror",
        metavar="URL",
        action="append",
        default=[],
        type=values.argument(values.apt_mirror),
        help="a repository of containers or of --clients, http or https, below which files may be asked for; repeatable "
        "(always: the sources of this host's own apt)",
    )
    apt.add_argument(
        "--apt-diffs",
        choices=("yes", "no"),
        default="yes",
        help="whether apt may update its indexes by differences (Packages.diff), or is told that there are none (default: %(default)s)",
    )
    peers = parser.add_argument_group("other pacservers")
    peers.add_argument(
        "--pacserver",
        metavar="HOST:PORT",
        action="append",
        default=[],
        type=values.argument(lambda text: parse_endpoint(text, DEFAULT_PORT)),
        help=f"a peer: name, IPv4 or [IPv6] address, the port may be left out ({DEFAULT_PORT}); repeatable",
    )
    peers.add_argument(
        "--host-name",
        metavar="NAME",
        type=values.argument(values.host_name),
        help="the name of this host that the others are told, and show beside its address; '' to tell none (default: the host name of this machine)",
    )
    finding = parser.add_argument_group("finding each other")
    finding.add_argument("--multicast", action="store_true", help="announce this host on the LAN, and use the pacservers that announce themselves")
    finding.add_argument(
        "--multicast-filter",
        metavar="FILTER",
        action="append",
        default=[],
        type=values.argument(parse_filter),
        help="i:REGEX: of those, use the ones whose ADDRESS:PORT matches only; x:REGEX: never use those; repeatable",
    )
    finding.add_argument(
        "--multicast-group",
        metavar="ADDRESS",
        action="append",
        default=[],
        type=values.argument(values.group),
        help=f"a multicast group to announce to; repeatable (default: {' and '.join(map(str, DEFAULT_GROUPS))})",
    )
    finding.add_argument(
        "--multicast-port",
        metavar="PORT",
        type=values.argument(values.port),
        default=DEFAULT_MULTICAST_PORT,
        help="UDP port of the announcements, the same on all machines (default: %(default)s)",
    )
    finding.add_argument(
        "--multicast-interval",
        metavar="SECONDS",
        type=values.argument(values.interval),
        default=DEFAULT_MULTICAST_INTERVAL,
        help=f"time between two announcements (default: {DEFAULT_MULTICAST_INTERVAL:g})",
    )
    finding.add_argument(
        "--interface",
        metavar="NAME",
        action="append",
        default=[],
        type=values.argument(values.interface),
        help="a network interface to announce on; repeatable (default: all but loopback and tunnels)",
    )
    audience = parser.add_argument_group("who may ask")
    audience.add_argument(
        "--clients",
        metavar="CIDR",
        action="append",
        default=[],
        type=values.argument(parse_network),
        help="a network whose machines may point their pacman at this host (/request); repeatable (default: this host alone)",
    )
    audience.add_argument(
        "--peers",
        metavar="CIDR",
        action="append",
        default=[],
        type=values.argument(parse_network),
        help="a further network whose pacservers may ask this one (/package, /info); repeatable "
        "(always: attached networks, private ranges and the addresses of --pacserver)",
    )
    audience.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        default=[],
        type=values.argument(values.name),
        help="a further name of this host by which clients and browsers ask for it; repeatable (always: localhost, its addresses and its host name)",
    )
    audience.add_argument(
        "--private",
        metavar="REPOSITORY",
        action="append",
        default=[],
        type=values.argument(values.repository),
        help="a repository whose packages no other host learns of; repeatable (always: those that have only Servers with a password or file://)",
    )
    delivery = parser.add_argument_group("delivering")
    delivery.add_argument(
        "--misses",
        choices=[choice.value for choice in Misses],
        default=Misses.AUTO.value,
        help="of a file that no one on the LAN has: send pacman to the mirror (redirect), download it once for all and hand it on meanwhile (fetch), "
        "or the latter as long as there is a peer (default: %(default)s)",
    )
    delivery.add_argument(
        "--hits",
        choices=[choice.value for choice in Hits],
        default=Hits.AUTO.value,
        help="of a file that a peer has: send pacman to the peer (redirect), fetch it from there, check it and hand it on (relay), or the latter "
        "when pacman comes back for it, or can't reach that peer (default: %(default)s)",
    )
    delivery.add_argument(
        "--spool",
        metavar="DIR",
        default=default_spool(os.environ, root=os.geteuid() == 0),
        type=values.argument(values.path),
        help="where fetched files are kept, and offered to peers (default: %(default)s)",
    )
    delivery.add_argument(
        "--spool-size",
        metavar="BYTES",
        default=DEFAULT_SPOOL_SIZE,
        type=values.argument(values.amount),
        help="the most bytes of these files; k, M and G are powers of 1024 (default: 5G)",
    )
    delivery.add_argument(
        "--wan-limit",
        metavar="BYTES",
        type=values.argument(values.rate),
        help="the most bytes per second that pacserve fetches from mirrors, all files together; pacman is not limited where it is sent to a mirror "
        "(at least 64k; default: no limit)",
    )
    delivery.add_argument(
        "--lan-limit",
        metavar="BYTES",
        type=values.argument(values.rate),
        help="the most bytes per second that pacserve sends to other hosts and fetches from peers, all files together; pacman is not limited where "
        "it is sent to a peer (at least 64k; default: no limit)",
    )
    delivery.add_argument(
        "--mirrors-at-once",
        metavar="N",
        type=values.argument(values.mirrors_at_once),
        default=DEFAULT_MIRRORS_AT_ONCE,
        help="download a large file from up to so many mirrors at the same time, a part of it from each; 1 for one mirror after the other, "
        "at most 16 (default: %(default)s)",
    )
    other = parser.add_argument_group("other")
    other.add_argument(
        "--state",
        metavar="DIR",
        default=default_state(os.environ, root=os.geteuid() == 0),
        type=values.argument(values.path),
        help="where the history of the traffic and what the databases state are kept (default: %(default)s)",
    )
    other.add_argument("--no-history", action="store_true", help="keep no history of the traffic: the counts begin anew with each start")
    other.add_argument("--metrics-peers", action="store_true", help="let /metrics have series of each peer, by its address")
    other.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="the least important lines to log (default: %(default)s)")
    other.add_argument("-h", "--help", action="help", help="show this help and exit")
    other.add_argument("--more-help", action=_MoreHelp, nargs=0, help="show a guide in prose and exit")
    other.add_argument("--version", action="version", version=f"pacserve {__version__}", help="show the version and exit")
    return parser


def parse_options(arguments: Sequence[str]) -> Settings:
    """
    Returns the settings that a command line asks for.

    Raises:
        SystemExit: With status 2 and one line on stderr when a value is wrong; with 0 after help, guide or version were printed.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.multicast and options.port < LEAST_PORT:
        parser.error(f"argument --multicast: no peer uses a port below {LEAST_PORT}, choose another one with --port")
    if options.apt and options.apt_port == options.port:
        parser.error(f"argument --apt-port: {options.port} is the port of --port, choose another one")
    return Settings(
        bind=_once(options.bind),
        port=options.port,
        pacman_conf=options.pacman_conf or DEFAULT_PACMAN_CONF,
        pacman_required=options.pacman_conf is not None,
        cache_dirs=_once(options.cache_dir),
        pacservers=_once(options.pacserver),
        clients=_once(options.clients),
        peers=_once(options.peers),
        names=_once(options.name),
        private=_once(options.private),
        log_level=options.log_level,
        multicast=options.multicast,
        multicast_filters=_once(options.multicast_filter),
        multicast_groups=_once(options.multicast_group) or DEFAULT_GROUPS,
        multicast_port=options.multicast_port,
        multicast_interval=options.multicast_interval,
        interfaces=_once(options.interface),
        misses=Misses(options.misses),
        hits=Hits(options.hits),
        state=options.state,
        metrics_peers=options.metrics_peers,
        spool=options.spool,
        spool_size=options.spool_size,
        wan_limit=options.wan_limit,
        lan_limit=options.lan_limit,
        mirrors_at_once=options.mirrors_at_once,
        host_name=options.host_name,
        history=not options.no_history,
        apt=options.apt,
        apt_port=options.apt_port,
        apt_mirrors=_once(options.apt_mirror),
        apt_diffs=options.apt_diffs == "yes",
    )


def _once(values: Sequence[T]) -> tuple[T, ...]:
    """Returns the values in their order, each once."""
    return tuple(dict.fromkeys(values))
