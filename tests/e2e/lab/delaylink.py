"""
A WAN link with a round-trip time, for kernels without netem: `delaylink.py PEER_PID RTT_MS [LOSS_PERCENT]`.

Makes two TUN devices, `wan0` here and `eth0` in the network namespace of process PEER_PID, and carries packets between them half the RTT later.  (A
namespace's name would not do: it is a mount, which a private mount namespace does not see.)  Rate limits are left to tc on either device.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def main(peer: str, rtt_ms: str, loss_percent: str = "0") -> None:
    """Carries packets until it is killed."""
    delay, loss = float(rtt_ms) / 2000, float(loss_percent) / 100
    near, far = _tun("wan0"), _tun("far0")
    subprocess.run(["ip", "link", "set", "far0", "netns", peer, "name", "eth0"], check=True)
    other = {near: far, far: near}
    # By source: when it is due, and the packet.
    waiting: dict[int, collections.deque[tuple[float, bytes]]] = {near: collections.deque(), far: collections.deque()}
    poll = select.poll()
    for device in other:
        poll.register(device, select.POLLIN)
    while True:
        now = time.monotonic()
        heads = [queue[0][0] for queue in waiting.values() if queue]
        # poll() counts whole milliseconds: round down and take the last part busy.
        timeout = max(0, int((min(heads) - now) * 1000)) if heads else None
        for device, _ in poll.poll(timeout):
            due = time.monotonic() + delay
            try:
                for _ in range(64):
                    packet = os.read(device, 65536)
                    if not loss or random.random() >= loss:
                        waiting[device].append((due, packet))
            except BlockingIOError:
                pass
        now = time.monotonic()
        for device, queue in waiting.items():
            while queue and queue[0][0] <= now:
                # A device that is down or full loses the packet, as a real link does.
                with contextlib.suppress(OSError):
                    os.write(other[device], queue.popleft()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
