"""Asks peers and mirrors what time it is."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from pacserve.network.addresses import parse_endpoint
from pacserve.pacsrv.facts import ClockOffset
from pacserve.pacsrv.proxies import bypassed, http_proxy
from pacserve.report.status import Status

# Seconds that a host has to answer: all are asked at once, and a slow one is not needed.
_ANSWER_TIMEOUT = 2.0
# Hosts that are asked: enough to outvote one whose own clock is wrong.
_PEERS_ASKED, _MIRRORS_ASKED = 3, 2


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    host: str
    port: int
    path: str
    secure: bool = False


def ask_clocks(status: Status, environment: Mapping[str, str], wall: Callable[[], float]) -> tuple[ClockOffset, ...]:
    """
    Asks some peers and mirrors at once, and returns how far their clocks are ahead of this one.

    Hosts that do not answer within seconds are left out.  Hosts behind a proxy are not asked: the proxy might answer in their place.
    """
    hosts = [host for host in (*_peers(status), *_mirrors(status)) if not http_proxy(environment) or bypassed(host.host, environment)]
    if not hosts:
        return ()
    with ThreadPoolExecutor(len(hosts)) as pool:
        return tuple(offset for offset in pool.map(lambda host: _offset(host, wall), hosts) if offset is not None)


def _peers(status: Status) -> list[_Host]:
    found = []
    for peer in [peer for peer in status.peers if peer.state not in {"refused", "dead"}][:_PEERS_ASKED]:
        try:
            endpoint = parse_endpoint(peer.address, status.host.port)
        except ValueError:
            continue
        found.append(_Host(peer.address, endpoint.host, endpoint.port, "/info"))
    return found


def _mirrors(status: Status) -> list[_Host]:
    found = []
    for mirror in [mirror for mirror in status.mirrors if mirror.state != "failed"][:_MIRRORS_ASKED]:
        try:
            url = urlsplit(mirror.url)
            port = url.port or {"http": 80, "https": 443}[url.scheme]
        except (ValueError, KeyError):
            continue
        if url.hostname:
            found.append(_Host(url.hostname, url.hostname, port, "/", url.scheme == "https"))
    return found


def _offset(host: _Host, wall: Callable[[], float]) -> ClockOffset | None:
    connection = http.client.HTTPConnection(host.host, host.port, timeout=_ANSWER_TIMEOUT)
    if host.secure:
        # A wrong clock makes certificates seem expired.  Nothing secret is sent, and no more than a time is believed.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host.host, host.port, timeout=_ANSWER_TIMEOUT, context=context)
    try:
        connection.request("HEAD", host.path, headers={"Connection": "close", "User-Agent": "pacsrv"})
        stated = connection.getresponse().getheader("Date")
        return ClockOffset(host.name, parsedate_to_datetime(stated).timestamp() - wall()) if stated else None
    except (OSError, http.client.HTTPException, ValueError, OverflowError):
        return None
    finally:
        connection.close()
