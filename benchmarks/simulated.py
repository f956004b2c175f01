"""
Many peers in one process: `python -m benchmarks.simulated NETWORK COUNT INTERFACE`, on a host that owns all addresses of the network.

Each peer has an address, an instance id and an inventory, announces itself, and answers `/info`; it has no files.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import sys
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from random import Random

from benchmarks.packages import ARCH, package_name
from pacserve.config.settings import DEFAULT_GROUPS, DEFAULT_MULTICAST_INTERVAL, DEFAULT_MULTICAST_PORT
from pacserve.discovery.announcement import Announcement, Kind
from pacserve.discovery.announcement import encode as encode_announcement
from pacserve.peers.inventory import PeerInfo, encode, pack

MOST_PEERS = 1000
_PORT = 15678
_GENERATION = 1
# The number of all packages, and of those that a peer holds.
_NAMES = 20_000
_NAMES_OF_A_PEER = 3000
# ip(7); the socket module has no name for it.
_IP_PKTINFO = 8
# Seconds in which all peers announce themselves first, as when they answer a hello.
_FIRST_ROUND = 4.0
_names = [package_name(f"package-with-a-name-{number:05}") for number in range(_NAMES)]


class _Peers(asyncio.Protocol):
    """A connection to the peer whose address the client has connected to."""

    def __init__(self, first: IPv4Address) -> None:
        self._first = first
        self._received = b""
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = int(IPv4Address(transport.get_extra_info("sockname")[0])) - int(self._first)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.write(_answer(head, self._number))


def _answer(head: bytes, number: int) -> bytes:
    target = head.split(b" ", 2)[1]
    path, _, query = target.partition(b"?")
    if path != b"/info":
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    if b"if-none-match:" in head.lower():
        return b"HTTP/1.1 304 Not Modified\r\n" + _etag(number) + b"\r\n"
    if query == b"since=%d" % _GENERATION:
        body = encode(PeerInfo(_instance(number), _GENERATION, (ARCH,), {}, since=_GENERATION))
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body) + b"\r\n" + body
    body = _inventory(number)
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(body) + _etag(number) + b"\r\n" + body


def _etag(number: int) -> bytes:
    return b'ETag: W/"%d"\r\n' % number


@cache
def _inventory(number: int) -> bytes:
    """Returns the whole inventory of a peer, packed."""
    chosen = Random(number).sample(range(_NAMES), _NAMES_OF_A_PEER)
    return pack(encode(PeerInfo(_instance(number), _GENERATION, (ARCH,), {_names[name]: 100_000 + name for name in chosen})))


def _instance(number: int) -> str:
    return f"{Random(number).getrandbits(128):032x}"


async def _announce(sender: socket.socket, address: str, number: int, index: int) -> None:
    """Sends one announcement from the address of a peer (IP_PKTINFO)."""
    payload = encode_announcement(Announcement(Kind.HERE, _instance(number), _PORT, _GENERATION, (ARCH,)))
    information = struct.pack("=i4s4s", index, socket.inet_aton(address), bytes(4))
    sender.sendmsg([payload], [(socket.IPPROTO_IP, _IP_PKTINFO, information)], 0, (str(DEFAULT_GROUPS[0]), DEFAULT_MULTICAST_PORT))


async def _run(network: IPv4Network, count: int, interface: str) -> None:
    first = network.network_address + 1
    await asyncio.get_running_loop().create_server(lambda: _Peers(first), "0.0.0.0", _PORT, backlog=1024)
    index = socket.if_nametoindex(interface)
    print("announces", flush=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for turn in itertools.count():
            pause = (_FIRST_ROUND if turn == 0 else DEFAULT_MULTICAST_INTERVAL * 0.9) / count
            for number in range(count):
                await _announce(sender, str(first + number), number, index)
                await asyncio.sleep(pause)


if __name__ == "__main__":
    asyncio.run(_run(IPv4Network(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
