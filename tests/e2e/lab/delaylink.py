"""
A WAN link with a round-trip time, for kernels without netem: `delaylink.py PEER_PID DEVICE RTT_MS [LOSS_PERCENT]`.

Makes two TUN devices, DEVICE here and `eth0` in the network namespace of process PEER_PID, and carries packets between them half the RTT later.  (A
namespace's name would not do: it is a mount, which a private mount namespace does not see.)  Rate limits are left to tc on either device.

A link without loss takes packets in bundles, as the sending kernel makes them for network cards that cut them up themselves (TSO): three links of 50
Mbit/s then need a tenth of a core instead of a whole one.  One with loss takes them one by one, or a whole bundle would be lost at once.
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

# linux/if_tun.h
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_TUN_F_CSUM, _TUN_F_TSO4, _TUN_F_TSO6 = 0x01, 0x02, 0x04
# Bytes of the largest bundle, and of the header that says how it is to be cut up (struct virtio_net_hdr).
_MOST = 65536 + 10
# Seconds between two looks at least: a link that wakes up for each packet takes the cores from what is measured.
_REST = 0.0005


def _tun(name: str, *, bundled: bool) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if bundled else 0)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    if bundled:
        fcntl.ioctl(device, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6)
    return device


def main(peer: str, name: str, rtt_ms: str, loss_percent: str = "0") -> None:
    """Carries packets until it is killed."""
    delay, loss = float(rtt_ms) / 2000, float(loss_percent) / 100
    near, far = _tun(name, bundled=not loss), _tun(f"{name}-far", bundled=not loss)
    subprocess.run(["ip", "link", "set", f"{name}-far", "netns", peer, "name", "eth0"], check=True)
    other = {near: far, far: near}
    # By source: when it is due, and the packet.
    waiting: dict[int, collections.deque[tuple[float, bytes]]] = {near: collections.deque(), far: collections.deque()}
    while True:
        heads = [queue[0][0] for queue in waiting.values() if queue]
        timeout = max(0.0, min(heads) - time.monotonic()) if heads else None
        for device in select.select([near, far], [], [], timeout)[0]:
            due = time.monotonic() + delay
            with contextlib.suppress(BlockingIOError):
                for _ in range(256):
                    packet = os.read(device, _MOST)
                    if not loss or random.random() >= loss:
                        waiting[device].append((due, packet))
        now = time.monotonic()
        for device, queue in waiting.items():
            while queue and queue[0][0] <= now:
                # A device that is down or full loses the packet, as a real link does.
                with contextlib.suppress(OSError):
                    os.write(other[device], queue.popleft()[1])
        time.sleep(_REST)


if __name__ == "__main__":
    main(*sys.argv[1:])
