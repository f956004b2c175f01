"""Says where a file that apt asks for would come from now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred, DeferredSemaphore

from pacserve.app.apt_knowledge import AptKnowledge
from pacserve.app.explaining import reasons_for, shortened
from pacserve.apt.kinds import is_difference
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.locating import locate, question_of, question_of_label
from pacserve.apt.targets import Target, asked_target, target_of
from pacserve.http.request import authority_of, split_target
from pacserve.network.addresses import Endpoint
from pacserve.packages.labels import parse_label, parse_package_path
from pacserve.packages.names import parse_content_name
from pacserve.report.ledger import Ledger
from pacserve.report.why import Reason, Why

_SYSTEM = "apt"
_THIS_HOST = IPv4Address("127.0.0.1")
# Questions to apt at the same time: each takes most of a second of CPU.
_CHILDREN_LIMIT = 2
_HTTPS = "https://"

_LAST_RESORT = "it passes the file on, where none of the above can give it"
_UNSTATED = "no list of this host's apt states the file: it is passed on from there as it comes, neither kept nor shared"
_RELEASE = "it is asked for a newer one each time, once for all; while it is away the last good one is handed out"
_NO_DIFFERENCES = "--apt-diffs no: apt is told that there are no differences between indexes"
_NO_BASE = "the URL is below no source of this host's apt; --apt-mirror URL has pacserve answer for one more"
_NO_MIRROR = "apt names the mirror when it asks"


class AptExplaining:
    """
    Answers questions about single files of apt.  No other host is asked: everything is what this daemon and apt know now.

    Args:
        left_out: Gives where hosts announced themselves that the filters leave out.
    """

    def __init__(self, apt: AptKnowledge, ledger: Ledger, left_out: Callable[[], Sequence[Endpoint]]) -> None:
        self._apt = apt
        self._ledger = ledger
        self._left_out = left_out
        self._children = DeferredSemaphore(_CHILDREN_LIMIT)

    async def why(self, text: str) -> Why | None:
        """
        Returns where a file would come from.

        Args:
            text: The name of a package or of its file, the URL of any file, or the name of one that was asked for lately.

        Returns:
            None where apt knows no such package.
        """
        await self._apt.lists.refresh()
        if "/" in text:
            target = self._target(text)
            return None if target is None else await self._of_target(target)
        found = await self._located(text) or self._asked_lately(text)
        if found is None:
            # A package that no list states is passed on from the mirror of which it is asked.
            return None if parse_package_path(text) is None else self._answer(text, [Reason("mirror", "used", _UNSTATED)])
        return await self._of_target(found) if isinstance(found, Target) else await self._of_known(found)

    async def _located(self, text: str) -> Target | KnownFile | None:
        """Returns the file of a package, as apt would fetch it: by its URL, or where the source has a list of mirrors as its lists state it."""
        content = parse_content_name(text)
        label = parse_label(text if content is None else content.label) or parse_package_path(text)
        question = question_of(text) if label is None else question_of_label(label)
        if question is None:
            return None
        located = await self._children.run(lambda: Deferred.fromCoroutine(locate(self._apt.run, question)))
        if located is None:
            return None
        target = self._target(located.url)
        if target is not None:
            return target
        stated = None if located.sha256 is None else self._apt.lists.stated(located.sha256)
        return None if stated is None else KnownFile(stated, ())

    def _asked_lately(self, name: str) -> Target | None:
        url = self._ledger.url_of(name)
        return None if url is None else self._target(url)

    def _target(self, text: str) -> Target | None:
        """Returns the file of a mirror that a person names by its URL, in any form in which apt asks for it."""
        if text.startswith(_HTTPS):
            return target_of(text)
        data = text.encode("utf-8", "surrogateescape")
        authority = authority_of(data)
        parts = split_target(data if authority is not None else b"/" + data.lstrip(b"/"))
        if parts is None:
            return None
        if authority is None and self._apt.is_here(parts[0]):
            parts = parts[1:]
        return asked_target(authority, parts, self._apt.is_here)

    async def _of_target(self, target: Target) -> Why:
        apt = self._apt
        mirror = f"mirror {target.origin}"
        if apt.lists.bases().of(target) is None:
            await apt.lists.refresh_bases()
        if apt.lists.bases().of(target) is None:
            return self._answer(target.name, [Reason(mirror, "no", _NO_BASE)], target)
        if is_difference(target) and not apt.diffs:
            return self._answer(target.name, [Reason(mirror, "no", _NO_DIFFERENCES)], target)
        if apt.front.is_release(target, _THIS_HOST):
            return self._answer(target.name, [Reason(mirror, "used", _RELEASE)], target)
        known = apt.front.known(target, _THIS_HOST)
        if known is None:
            return self._answer(target.name, [Reason(mirror, "used", _UNSTATED)], target)
        return await self._of_known(known, target)

    async def _of_known(self, known: KnownFile, target: Target | None = None) -> Why:
        """Returns where a file of known content would come from."""
        apt = self._apt
        reasons = await reasons_for(apt.delivery, apt.content.request(known), self._left_out())
        if target is None:
            reasons.append(Reason("mirror", "next" if _is_used(reasons) else "used", _NO_MIRROR))
        else:
            reasons.append(Reason(f"mirror {target.origin}", "next" if _is_used(reasons) else "used", _LAST_RESORT))
        last = self._ledger.of(known.stated.name, known.urls if target is None else (*known.urls, target.url))
        where = "" if target is None else _place(apt.lists.bases().of(target) or target)
        return Why(where, known.stated.label, known.stated.size, tuple(shortened(reasons)), last, _SYSTEM, known.stated.name)

    def _answer(self, name: str, reasons: Sequence[Reason], target: Target | None = None) -> Why:
        """Returns the same of a file whose content is not known."""
        if target is None:
            return Why("", name, None, tuple(reasons), self._ledger.of(name), _SYSTEM)
        base = self._apt.lists.bases().of(target)
        last = self._ledger.of(name, (target.url,))
        return Why(_place(target.folder if base is None else base), name, None, tuple(reasons), last, _SYSTEM)


def _is_used(reasons: Sequence[Reason]) -> bool:
    return any(reason.verdict == "used" for reason in reasons)


def _place(base: Target) -> str:
    """Returns a folder of a mirror as people write it."""
    return "/".join((base.origin, *base.path))
