"""The front for apt, which asks it as an HTTP proxy, or by URLs that begin with the host of the mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pacserve.apt.content_delivery import ContentDelivery
from pacserve.apt.kinds import has_release_name, is_difference
from pacserve.apt.knowledge import KnownFile, Lists, Releases
from pacserve.apt.passed_lists import PassedLists
from pacserve.apt.passing_on import PassingOn
from pacserve.apt.targets import Target, asked_target
from pacserve.complaints import Complaints
from pacserve.errors import RequestError
from pacserve.network.addresses import IPAddress
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front

# Requests that wait for their turn, and for the lists, at the same time, and those of other hosts among them.
LOOKING_LIMIT = 64
LOOKING_OF_OTHERS = 48
_WELCOME = "pacserve answers apt here: pacsrv setup --apt configures apt of this host for it.\n"
_UNKNOWN = "{url} is below no source of this host's apt: --apt-mirror URL has pacserve answer for one more"


@dataclass(frozen=True, slots=True)
class AptRules:
    """
    The rules of this host.

    Attributes:
        is_here: Returns whether a host, with a port where there is one, means this daemon.
        owns: Returns whether an address is one of this host.
        instance: The instance id of this daemon, which its requests name in their Via.
        diffs: False if apt is told that there are no differences between indexes.
    """

    is_here: Callable[[str], bool]
    owns: Callable[[IPAddress], bool]
    instance: str
    diffs: bool


class AptFront(Front):
    """
    Answers apt: with content from this host, from peers, or downloaded once for the LAN, and with everything else straight from the mirror.

    apt is never redirected: it would not come back when that target fails, and would ask it for all indexes of the source.
    """

    _log = Logger()

    def __init__(self, lists: Lists, releases: Releases, content: ContentDelivery, passing: PassingOn, passed: PassedLists, rules: AptRules) -> None:
        self._lists = lists
        self._releases = releases
        self._content = content
        self._passing = passing
        self._passed = passed
        self._rules = rules
        self._looking = 0
        self._complaints = Complaints(self._log)

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts == ("",) and (ask.authority is None or self._rules.is_here(ask.authority)):
            return DocumentAnswer(_WELCOME.encode())
        target = await self._target(ask)
        if is_difference(target) and not self._rules.diffs:
            raise RequestError(404, "--apt-diffs no: apt fetches whole indexes")
        if ask.header("Authorization") is not None:  # it is for this client alone
            return await self._passing.pass_on(target.url, ask)
        if self.is_release(target, ask.client):
            return await self._releases.release(target, ask)
        await self._lists.refresh()
        known = self.known(target, ask.client)
        if known is None:
            return await self._passing.pass_on(target.url, ask)
        answer = await self._content.deliver(known, ask)
        if ask.method == "GET":
            self._passed.given(known)
        return answer

    def ahead(self, ask: Ask) -> None:
        """Begins to fetch the file of a request that waits for its turn, where its content is known, or will be in a moment."""
        target = self._asked(ask)
        if target is None or self._lists.bases().of(target) is None or self.is_release(target, ask.client) or ask.header("Authorization") is not None:
            return
        if self._looking < (LOOKING_LIMIT if self._rules.owns(ask.client) else LOOKING_OF_OTHERS):
            self._looking += 1
            self._complaints.hear(Deferred.fromCoroutine(self._begin(target, ask.client)), "looking at a request that waits").addBoth(self._looked)

    async def _begin(self, target: Target, client: IPAddress) -> None:
        await self._lists.refresh()  # apt may have written them just now, and asks for the first package while they are scanned
        known = self.known(target, client)
        if known is not None:
            self._content.begin(known, client, own=self._rules.owns(client))

    def _looked(self, _: object) -> None:
        self._looking -= 1

    def is_release(self, target: Target, client: IPAddress) -> bool:
        """Returns whether a file states a suite, or signs what does.  The Release of a component does not: it is an index of its suite."""
        return has_release_name(target) and self._releases.find(target, client) is None

    def known(self, target: Target, client: IPAddress) -> KnownFile | None:
        """Returns a file as releases or lists state it; None where none does."""
        known = self._releases.find(target, client)
        if known is not None:
            return known
        stated = self._lists.find(target)
        return None if stated is None else KnownFile(stated, (target.url,))

    async def _target(self, ask: Ask) -> Target:
        """
        Returns the file that is asked for.

        Raises:
            RequestError: 403, nobody may ask for it here.
        """
        via = ask.header("Via")
        if via is not None and self._rules.instance in via:
            raise RequestError(403, "this request has come from here: a source of this host's apt leads back to it")
        target = self._asked(ask)
        if target is None or ask.query:
            raise RequestError(403, "no file of a repository has such a URL: ask for http://HOST/PATH, or for /HOST/PATH or /https://HOST/PATH")
        if self._lists.bases().of(target) is None:
            await self._lists.refresh_bases()
            if self._lists.bases().of(target) is None:
                raise RequestError(403, _UNKNOWN.format(url=target.url))
        return target

    def _asked(self, ask: Ask) -> Target | None:
        return asked_target(ask.authority, ask.parts, self._rules.is_here)
