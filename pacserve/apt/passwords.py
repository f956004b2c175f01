"""
The repositories that only somebody with a password gets files from: what apt keeps of them is nobody else's.  Pure.

A password stands in the URL of the source, or in `auth.conf` and the files of `auth.conf.d` (apt_auth.conf(5)).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

_USERINFO = re.compile(r"[a-z+]+://[^/@]*@")
_HOST = re.compile(r"(?:[a-z+]+://)?(\[[^]]*\]|[^/:]+)")


def parse_machines(text: bytes) -> frozenset[str]:
    """Returns the hosts that a file names for which there are passwords, those in comments as well, in lower case.  Nothing else of it is kept."""
    words = text.decode("utf-8", "replace").split()
    hosts = (_HOST.match(name.lower()) for word, name in pairwise(words) if word == "machine")
    return frozenset(host[1] for host in hosts if host is not None)


def needs_password(url: str, machines: Collection[str] | None) -> bool:
    """
    Returns whether files of a repository are for those alone who have a password, as far as this host knows.

    Args:
        url: That of the repository, as its source has it.
        machines: The hosts for which there are passwords; None where that can't be read.  apt sends these by https unless they say otherwise, so
            then every repository that is asked by https may be one of them.
    """
    url = url.lower()
    if _USERINFO.match(url):
        return True
    if machines is None:
        return url.partition("://")[0].endswith("https")
    host = _HOST.match(url)
    return host is not None and host[1] in machines
