"""The ways of the lab out into the Internet: how fast they are, how far, and how many packets they lose."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab.namespace import Namespace, sh, wait_until

_PROGRAM = Path(__file__).with_name("delaylink.py")
# Seconds of the rate that may pass at once, as the buffers of a network card do, and that may wait, as the queue of a router lets it.
_BURST = 0.01
_QUEUE_MS = 60


@dataclass(frozen=True, slots=True)
class Link:
    """
    What the way to a mirror is like, in both directions.

    Attributes:
        mbit: The rate; 0 leaves it unshaped.
        rtt_ms: The round-trip time.
        loss_percent: Of the packets, one by one and at random; only where there is a round-trip time.
    """

    mbit: float = 0
    rtt_ms: float = 0
    loss_percent: float = 0

    def lay(self, near: Namespace, device: str, far: Namespace) -> None:
        """Makes the interface `device` in one namespace and `eth0` in the other; neither has an address or is up."""
        if not self.rtt_ms:
            sh(f"ip -n {near.netns} link add {device} type veth peer name eth0 netns {far.netns}")
            return
        command = [sys.executable, str(_PROGRAM), str(far.pid), device, str(self.rtt_ms), str(self.loss_percent)]
        near.spawn(command, log=near.dir / "delaylink.log")
        wait_until(lambda: not sh(f"ip -n {far.netns} link show eth0", check=False).returncode, "the WAN link")


def limit_rate(netns: str, device: str, mbit: float) -> None:
    """Limits the rate at which an interface sends, also one that is limited already."""
    burst = max(16_000, int(mbit * 1e6 / 8 * _BURST))  # but at least a few packets
    sh(f"tc -n {netns} qdisc replace dev {device} root tbf rate {mbit}mbit burst {burst} latency {_QUEUE_MS}ms")
