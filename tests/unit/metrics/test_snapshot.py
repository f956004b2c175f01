"""Tests for `pacserve.metrics.snapshot`."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from pacserve.metrics.definitions import OF_EACH_PEER, Distribution
from pacserve.metrics.snapshot import MIRROR_STATES, MOST_PEERS, PEER_STATES, families_of
from pacserve.mirrors.health import Fault
from pacserve.peers.peer import PeerState
from pacserve.report.status import Status
from tests.unit.metrics.statuses import peer, status


def values(state: Status, *, peers: bool = False) -> dict[str, Mapping[tuple[str, ...], float | Distribution]]:
    """The samples of each metric."""
    return {family.definition.name: family.samples for family in families_of(state, peers=peers)}


class SnapshotTests(SynchronousTestCase):
    def test_host(self) -> None:
        """What is offered, downloaded and kept is told in numbers."""
        told = values(status())
        self.assertEqual(told["pacserve_build_info"], {("0.1.0", "fetch", "relay"): 1})
        for name, value in (
            ("pacserve_start_time_seconds", 1700000000),
            ("pacserve_inventory_generation", 7),
            ("pacserve_inventory_files", 2),
            ("pacserve_inventory_bytes", 300),
            ("pacserve_downloads", 1),
            ("pacserve_claims", 4),
            ("pacserve_spool_files", 1),
            ("pacserve_spool_bytes", 200),
            ("pacserve_spool_limit_bytes", 5 << 30),
        ):
            self.assertEqual(told[name], {(): value}, name)

    def test_no_spool(self) -> None:
        """Where nothing is downloaded there is no spool to tell of."""
        self.assertEqual([name for name in values(status(spool=False)) if "spool" in name], [])

    def test_states(self) -> None:
        """Peers and mirrors are counted by state, and a state that none has is zero."""
        told = values(status(peer("a:1"), peer("b:1"), peer("c:1", state="dead", reason="refused")))
        self.assertEqual(told["pacserve_peers"], {("new",): 0, ("unknown",): 0, ("known",): 2, ("refused",): 0, ("dead",): 1})
        self.assertEqual(told["pacserve_mirrors"], {("well",): 0, ("slow",): 1, ("failed",): 0, ("lied",): 0, ("resting",): 0})

    def test_all_states(self) -> None:
        """No state that a peer or a mirror can have is missing."""
        self.assertEqual(set(PEER_STATES), {state.value for state in PeerState})
        self.assertEqual({state.upper() for state in MIRROR_STATES[1:]}, {fault.name for fault in Fault})

    def test_unknown_state(self) -> None:
        """A state of anybody's making is no new series."""
        self.assertEqual(set(values(status(peer("a:1", state="x")))["pacserve_peers"]), {(state,) for state in PEER_STATES})


class PeerTests(SynchronousTestCase):
    def test_only_where_wanted(self) -> None:
        """No address is told unless that is asked for."""
        names = {definition.name for definition in OF_EACH_PEER}
        self.assertEqual(names & set(values(status(peer("a:1")))), set())
        self.assertEqual(names & set(values(status(peer("a:1")), peers=True)), names)

    def test_each(self) -> None:
        """Each peer is told of by its address, and whether it is used."""
        told = values(status(peer("a:1"), peer("b:1", state="dead", reason="refused", files=0)), peers=True)
        self.assertEqual(told["pacserve_peer_used"], {("a:1",): 1, ("b:1",): 0})
        self.assertEqual(told["pacserve_peer_files"], {("a:1",): 3, ("b:1",): 0})
        self.assertEqual(told["pacserve_peer_given_bytes_total"], {("a:1",): 1000, ("b:1",): 1000})
        self.assertEqual(told["pacserve_peer_delay_seconds"], {("a:1",): 0.001, ("b:1",): 0.001})
        self.assertEqual(told["pacserve_peer_failures"], {("a:1",): 0, ("b:1",): 0})

    def test_twice(self) -> None:
        """A host that the list names twice is told of once, as it is used."""
        told = values(status(peer("a:1", state="refused", reason="another name", files=0), peer("a:1")), peers=True)
        self.assertEqual((told["pacserve_peer_used"], told["pacserve_peer_files"]), ({("a:1",): 1}, {("a:1",): 3}))

    def test_bounded(self) -> None:
        """In a large LAN only some are told of, the used ones first."""
        many = [peer(f"{number:04}:1", reason="dead") for number in range(MOST_PEERS)]
        told = values(status(*many, peer("9999:1")), peers=True)["pacserve_peer_used"]
        self.assertEqual((len(told), told["9999:1",]), (MOST_PEERS, 1))
