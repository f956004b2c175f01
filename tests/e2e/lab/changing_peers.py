"""
Made-up peers that change all the time: `changing_peers.py ADDRESS PEERS NAMES`.

Each listens on a port of its own, from the one of pacserve on, announces another generation every second, and lists as many long names, others with
every poll.  Each poll is logged on standard output.  A script of its own, since a hostile machine shares no code with pacserve.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
import sys
import time
import zlib

PORT, GROUP, GROUP_PORT = 15678, "224.0.0.1", 15679
# Lists that take turns, each packed once: to make them anew would take longer than to read them.
LISTS = 4
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_polls = itertools.count(1)


def deflated(text: bytes, flush: int) -> bytes:
    """A part of a raw deflate stream that stands by itself."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush(flush)


class Lists:
    """The lists of all peers, of which one is answered after the other."""

    def __init__(self, names: int) -> None:
        self._texts: list[tuple[bytes, bytes]] = []
        for turn in range(LISTS):
            filler = chr(ord("a") + turn) * 180
            text = ",".join(f'"made-up-{number:06}-{filler}-1-1-any.pkg.tar.zst":{number + 1}' for number in range(names)).encode()
            self._texts.append((text, deflated(text, zlib.Z_FULL_FLUSH)))

    def answer(self, instance: str, generation: int) -> bytes:
        """The next list, packed, as that of a peer."""
        text, packed = self._texts[next(_polls) % LISTS]
        head = json.dumps({"protocol": 1, "instance": instance, "generation": generation, "arch": ["x86_64"]}).encode()[:-1] + b',"files":{'
        end = b"}}"
        check = zlib.crc32(end, zlib.crc32(text, zlib.crc32(head)))
        tail = struct.pack("<II", check, len(head) + len(text) + len(end))
        return _GZIP + deflated(head, zlib.Z_FULL_FLUSH) + packed + deflated(end, zlib.Z_FINISH) + tail


class MadeUpPeer:
    """One of them."""

    def __init__(self, number: int, lists: Lists) -> None:
        self._instance, self._port = f"{number + 1:032x}", PORT + number
        self._lists = lists
        self._generation = 1

    async def listen(self, address: str) -> None:
        """Answers from now on."""
        await asyncio.start_server(self._serve, address, self._port)

    def announcement(self) -> bytes:
        """The next datagram."""
        self._generation += 1
        document = {"pacserve": 1, "kind": "here", "instance": self._instance, "port": self._port, "generation": self._generation, "arch": ["x86_64"]}
        return json.dumps(document).encode()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                body = self._lists.answer(self._instance, self._generation) if path.startswith(b"/info") else b""
                print(f"{time.monotonic():.3f} {self._port} {path.decode()} {len(body)}", flush=True)
                status = b"200 OK\r\nContent-Encoding: gzip" if body else b"404 Not Found"
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + (b"" if head.startswith(b"HEAD") else body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(address: str, count: int, names: int) -> None:
    """Runs them all until the process is ended."""
    lists = Lists(names)
    peers = [MadeUpPeer(number, lists) for number in range(count)]
    for peer in reversed(peers):  # whoever waits for the port of the first one finds them all
        await peer.listen(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        while True:
            for peer in peers:
                sender.sendto(peer.announcement(), (GROUP, GROUP_PORT))
            await asyncio.sleep(1)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
