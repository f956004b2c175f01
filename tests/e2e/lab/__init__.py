"""A LAN of hosts with real pacman and apt, a mirror, and everything that can go wrong between them, on one Linux machine."""

from tests.e2e.lab.daemon import PORT, Daemon, Program, command, fake_peer
from tests.e2e.lab.depot import BIG_SIZE, ODD, Depot, build_repository, falsified, small_packages, truncated
from tests.e2e.lab.host import MIRROR, PACKAGE_DIR, PACSERVE, Host
from tests.e2e.lab.link import Link
from tests.e2e.lab.mirror import Mirror, MirrorRequest, Site
from tests.e2e.lab.namespace import Namespace, Response, sh, wait_until
from tests.e2e.lab.network import Lab
from tests.e2e.lab.packages import Package, SigningKey, build
from tests.e2e.lab.service import Service

__all__ = [
    "BIG_SIZE",
    "MIRROR",
    "ODD",
    "PACKAGE_DIR",
    "PACSERVE",
    "PORT",
    "Daemon",
    "Depot",
    "Host",
    "Lab",
    "Link",
    "Mirror",
    "MirrorRequest",
    "Namespace",
    "Package",
    "Program",
    "Response",
    "Service",
    "SigningKey",
    "Site",
    "build",
    "build_repository",
    "command",
    "fake_peer",
    "falsified",
    "sh",
    "small_packages",
    "truncated",
    "wait_until",
]
