"""What time others say it is."""

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

# Seconds.
_PATIENCE = 2.0
# How many are asked: enough to outvote one whose own clock is wrong.
_PEERS, _MIRRORS = 3, 2


@dataclass(frozen=True, slots=True)
class _Other:
    name: str
    host: str
    port: int
    path: str
    secure: bool = False


def ask_clocks(status: Status, environment: Mapping[str, str], wall: Callable[[], float]) -> tuple[ClockOffset, ...]:
    """
    Returns how far the clocks of some peers and mirrors are ahead; of those that say so within seconds, all asked at once.

    Whoever is behind a proxy is not asked: the proxy may answer in its place.
    """
    others = [other for other in (*_peers(status), *_mirrors(status)) if not http_proxy(environment) or bypassed(other.host, environment)]
    if not others:
        return ()
    with ThreadPoolExecutor(len(others)) as pool:
        return tuple(offset for offset in pool.map(lambda other: _offset(other, wall), others) if offset is not None)


def _peers(status: Status) -> list[_Other]:
    found = []
    for peer in [peer for peer in status.peers if peer.state not in {"refused", "dead"}][:_PEERS]:
        try:
            endpoint = parse_endpoint(peer.address, status.host.port)
        except ValueError:
            continue
        found.append(_Other(peer.address, endpoint.host, endpoint.port, "/info"))
    return found


def _mirrors(status: Status) -> list[_Other]:
    found = []
    for mirror in [mirror for mirror in status.mirrors if mirror.state != "failed"][:_MIRRORS]:
        try:
            url = urlsplit(mirror.url)
            port = url.port or {"http": 80, "https": 443}[url.scheme]
        except (ValueError, KeyError):
            continue
        if url.hostname:
            found.append(_Other(url.hostname, url.hostname, port, "/", url.scheme == "https"))
    return found


def _offset(other: _Other, wall: Callable[[], float]) -> ClockOffset | None:
    connection = http.client.HTTPConnection(other.host, other.port, timeout=_PATIENCE)
    if other.secure:
        # A clock that is wrong makes certificates seem expired, and nothing secret is asked or believed here.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(other.host, other.port, timeout=_PATIENCE, context=context)
    try:
        connection.request("HEAD", other.path, headers={"Connection": "close", "User-Agent": "pacsrv"})
        stated = connection.getresponse().getheader("Date")
        return ClockOffset(other.name, parsedate_to_datetime(stated).timestamp() - wall()) if stated else None
    except (OSError, http.client.HTTPException, ValueError, OverflowError):
        return None
    finally:
        connection.close()
