"""The agents that send requests: one for peers, two for mirrors."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from pacserve.errors import FetchError
from pacserve.fetch.connections import PEER_HEADERS, READ, BoundedEndpoint, Endpoints, tcp_endpoint
from pacserve.fetch.guard import AddressGuard, GuardedReactor
from pacserve.fetch.proxy import Proxies, Proxy
from pacserve.fetch.tunnel import ProxyEndpoint, TunnelEndpoint
from pacserve.fetch.urls import parse_url

# Seconds that an idle connection is kept: less than the 60 s of our own server and the 75 s of nginx, so that few are used while they are closed.
IDLE_TIMEOUT = 45
# Idle connections to one server: pacman asks for 5 files at once, and each of these may need several requests.
CONNECTIONS_PER_SERVER = 8


def peer_agent(reactor: Any, read: int = READ) -> IAgent:
    """
    Returns the agent that asks peers: directly, whatever proxy the environment names, on kept-alive connections.

    Args:
        read: The most bytes that one read takes.
    """
    agent: IAgent = Agent.usingEndpointFactory(reactor, Endpoints(reactor, read=read, headers=PEER_HEADERS), pool=_pool(reactor))
    return agent


def mirror_agent(
    reactor: Any, proxies: Proxies, guard: AddressGuard | None = None, policy: IPolicyForHTTPS | None = None, read: int = READ
) -> IAgent:
    """
    Returns an agent that asks mirrors, through a proxy where there is one.

    Args:
        guard: Permits the addresses that may be asked; None permits all.  Connections are not shared with other agents.
        policy: The TLS policy; None for the system's trusted certificates.
        read: The most bytes that one read takes.
    """
    return _MirrorAgent(reactor, proxies, guard, policy, read)


def _pool(reactor: Any) -> HTTPConnectionPool:
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = CONNECTIONS_PER_SERVER
    pool.cachedConnectionTimeout = IDLE_TIMEOUT
    return pool


@implementer(IAgent)
class _MirrorAgent:
    """Asks by URL: directly, through a proxy that is sent the absolute URL, or through a tunnel."""

    def __init__(self, reactor: Any, proxies: Proxies, guard: AddressGuard | None, policy: IPolicyForHTTPS | None, read: int) -> None:
        self._reactor = reactor
        self._proxies = proxies
        self._guard = guard
        self._policy = policy
        self._read = read
        outside = reactor if guard is None else GuardedReactor(reactor, guard)
        self._direct: IAgent = Agent.usingEndpointFactory(reactor, Endpoints(outside, policy, read), pool=_pool(reactor))
        self._proxied: dict[tuple[str, Proxy], IAgent] = {}

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        url = parse_url(uri.decode("ascii"))
        proxy = self._proxies.choose(url)
        if proxy is None:
            return self._direct.request(method, uri, headers, bodyProducer)
        if self._guard is not None and not self._guard.permits_host(url.host):
            return fail(FetchError("leads back to this host or its link"))
        if url.scheme == "http" and proxy.authorization is not None:
            headers = headers.copy() if headers is not None else Headers()
            headers.setRawHeaders("Proxy-Authorization", [proxy.authorization])
        return self._through(url.scheme, proxy).request(method, uri, headers, bodyProducer)

    def _through(self, scheme: str, proxy: Proxy) -> IAgent:
        key = scheme, proxy
        if key not in self._proxied:
            to_proxy = ProxyEndpoint(tcp_endpoint(self._reactor, proxy.host, proxy.port))
            if scheme == "http":
                self._proxied[key] = ProxyAgent(BoundedEndpoint(to_proxy, self._reactor, self._read), self._reactor, pool=_pool(self._reactor))
            else:
                tunnels = _Tunnels(self._reactor, self._policy, to_proxy, proxy, self._read)
                self._proxied[key] = Agent.usingEndpointFactory(self._reactor, tunnels, pool=_pool(self._reactor))
        return self._proxied[key]


@implementer(IAgentEndpointFactory)
class _Tunnels(Endpoints):
    """Connects by TLS inside a tunnel through a proxy."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None, to_proxy: IStreamClientEndpoint, proxy: Proxy, read: int) -> None:
        super().__init__(reactor, policy, read)
        self._to_proxy = to_proxy
        self._proxy = proxy

    def tcp(self, uri: URI) -> IStreamClientEndpoint:
        return TunnelEndpoint(self._to_proxy, self._proxy, uri.host.decode("ascii"), uri.port)
