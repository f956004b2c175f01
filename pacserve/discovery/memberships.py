"""The multicast groups that are joined on each interface."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Set
from ipaddress import IPv4Network, IPv6Address

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.discovery.sockets import GroupSocket
from pacserve.errors import plain_reason, reason_of
from pacserve.network.addresses import IPAddress

# Seconds after which a group is left and joined again, for switches that forget their members; a querier, where there is any, asks every 125 s
# (RFC 3376, 8.2).
REJOIN_INTERVAL = 30.0

# Groups that switches flood whatever they have learned (RFC 4541, 2.1.2 (2) and 3), so nothing is to be told to them.
_ALWAYS_FLOODED4 = IPv4Network("224.0.0.0/24")
_ALWAYS_FLOODED6 = IPv6Address("ff02::1")

# The interface has gone, or is about to come.
_GONE = frozenset({errno.ENODEV, errno.EADDRNOTAVAIL})

# A group and the number of an interface.
Membership = tuple[IPAddress, int]


class Memberships:
    """
    Joins and leaves groups.  A group that the kernel refuses is tried again by the next `keep`: an interface that is just coming up, or one more than
    net.ipv4.igmp_max_memberships allows.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._joined: dict[Membership, float] = {}
        self._complaints = Complaints(self._log)

    def keep(self, wanted: Set[Membership], sockets: Mapping[int, GroupSocket]) -> None:
        """
        Joins what is wanted and leaves everything else.  What was joined `REJOIN_INTERVAL` ago is joined again, unless switches flood it anyway.

        Args:
            sockets: By IP version; the groups of a version without a socket are not joined.
        """
        for membership in [membership for membership in self._joined if membership not in wanted]:
            self._leave(membership, sockets)
        for membership in wanted:
            self._join(membership, sockets)

    def forget(self, version: int) -> None:
        """Forgets the groups of an IP version: the kernel left them when their socket was closed."""
        self._joined = {membership: at for membership, at in self._joined.items() if membership[0].version != version}

    def _join(self, membership: Membership, sockets: Mapping[int, GroupSocket]) -> None:
        group, index = membership
        now = self._clock.seconds()
        if self._is_settled(membership, now) or group.version not in sockets:
            return
        try:
            sockets[group.version].join(group, index)
        except OSError as error:
            self._log.debug("{group} not joined on interface {index}: {error}", group=group, index=index, error=plain_reason(error))
            if error.errno not in _GONE:
                self._complaints.about(membership, _explain(error, group, index))
        else:
            self._joined[membership] = now
            self._complaints.about(membership, "")

    def _is_settled(self, membership: Membership, now: float) -> bool:
        joined = self._joined.get(membership)
        if joined is None:
            return False
        return _always_flooded(membership[0]) or 0 <= now - joined < REJOIN_INTERVAL

    def _leave(self, membership: Membership, sockets: Mapping[int, GroupSocket]) -> None:
        del self._joined[membership]
        group, index = membership
        try:
            sockets[group.version].leave(group, index)
        except OSError as error:  # the interface has gone, most often
            self._log.debug("{group} not left on interface {index}: {error}", group=group, index=index, error=plain_reason(error))


def _explain(error: OSError, group: IPAddress, index: int) -> str:
    advice = "raise the sysctl net.ipv4.igmp_max_memberships" if error.errno == errno.ENOBUFS and group.version == 4 else "it is tried again"
    return f"{group} can't be joined on interface {index}, so that announcements are not heard there: {reason_of(error)}; {advice}"


def _always_flooded(group: IPAddress) -> bool:
    return group == _ALWAYS_FLOODED6 or (group.version == 4 and group in _ALWAYS_FLOODED4)
