"""Values of options: the text of the user becomes a value, or an error that says what would be right."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TypeVar

from pacserve.config.settings import DEFAULT_GROUPS
from pacserve.fetch.urls import parse_url
from pacserve.network.addresses import IPAddress
from pacserve.network.names import LONGEST_TOLD_NAME, told_name

T = TypeVar("T")

_AMOUNT = re.compile(r"([0-9]{1,12})([kKmMgG]?)\Z")
_SECONDS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?\Z")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,10}\Z")
_LEAST_INTERVAL = 1
_MOST_INTERVAL = 3600
# What Linux takes for a name, and an IPv6 zone can hold; IFNAMSIZ - 1 bytes.
_INTERFACE = re.compile(r"(?!\.{1,2}\Z)[^/:%\s]+\Z")
_INTERFACE_BYTES = 15
# Bytes per second: with less, five files at once leave gaps in which pacman gives up.
LEAST_RATE = 64 << 10
# One file from more mirrors than that would be a burden for them, and no line needs it.
MOST_MIRRORS_AT_ONCE = 16


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Lets argparse show the message of a ValueError."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def port(text: str) -> int:
    """Returns a TCP or UDP port."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def address(text: str) -> str:
    """Returns an address of this host, as text."""
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IPv4 or IPv6 address: give one of this host's addresses, such as 127.0.0.1 or ::1") from None
    return text


def path(text: str) -> str:
    """Returns an absolute path."""
    if not text or "\0" in text:
        raise ValueError("a path is missing")
    return str(Path(text).absolute())


def group(text: str) -> IPAddress:
    """Returns a multicast group."""
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    # Python 3.13 takes ::ffff:224.0.0.1 for a multicast address, which no IPv6 socket could join.
    if found is None or "%" in text or not found.is_multicast or (isinstance(found, IPv6Address) and found.ipv4_mapped is not None):
        raise ValueError(
            f"{text!r} is no multicast address: give one from 224.0.0.0/4, such as {DEFAULT_GROUPS[0]}, or ff00::/8, such as {DEFAULT_GROUPS[1]}"
        )
    return found


def interval(text: str) -> float:
    """Returns the seconds between two announcements."""
    if not _SECONDS.match(text) or not _LEAST_INTERVAL <= float(text) <= _MOST_INTERVAL:
        raise ValueError(f"{text!r} is no interval: give seconds from {_LEAST_INTERVAL} to {_MOST_INTERVAL}")
    return float(text)


def interface(text: str) -> str:
    """Returns the name of a network interface."""
    if not _INTERFACE.match(text) or not text.isprintable() or len(text.encode()) > _INTERFACE_BYTES:
        raise ValueError(f"{text!r} is no interface name: give one that 'ip link' shows, such as eth0")
    return text


def amount(text: str) -> int:
    """Returns bytes; k, M and G are powers of 1024."""
    match = _AMOUNT.match(text)
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no number of bytes: write for example 500k, 20M or 5G")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]


def name(text: str) -> str:
    """Returns a host name in lower case, without a dot at its end."""
    lower = text.lower().rstrip(".")
    if not _HOST_NAME.match(lower):
        raise ValueError(f"{text!r} is no host name: write for example pacserve.lan")
    return lower


def host_name(text: str) -> str:
    """Returns the name that other hosts are told of this one; empty where they are told none."""
    told = told_name(text)
    if text and not told:
        raise ValueError(f"{text!r} is no name that other hosts can be told: write for example nas, at most {LONGEST_TOLD_NAME} characters, or ''")
    return told


def repository(text: str) -> str:
    """Returns the name of a repository."""
    if not text or "/" in text or not text.isprintable() or text == "options":
        raise ValueError(f"{text!r} is no repository: give a name in brackets of pacman.conf, without the brackets")
    return text


def apt_mirror(text: str) -> str:
    """Returns the URL of a repository, without a slash at its end."""
    try:
        url = parse_url(text)
    except ValueError:
        url = None
    if url is None or url.userinfo or "?" in url.target:
        raise ValueError(f"{text!r} is no repository: give the http or https URL of a source of apt, such as http://deb.debian.org/debian")
    return str(url).rstrip("/")


def rate(text: str) -> int:
    """Returns bytes per second."""
    bytes_a_second = amount(text)
    if bytes_a_second < LEAST_RATE:
        raise ValueError(f"{text} bytes per second are too few: pacman gives up when nothing comes for 10 seconds; give at least 64k")
    return bytes_a_second


def mirrors_at_once(text: str) -> int:
    """Returns the number of mirrors that one file may be taken from at the same time."""
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MOST_MIRRORS_AT_ONCE):
        raise ValueError(f"{text!r} is no number of mirrors: give one from 1, for one after the other, to {MOST_MIRRORS_AT_ONCE}")
    return int(text)
