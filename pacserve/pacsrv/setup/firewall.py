"""The firewall of this host: whether it lets in what pacserve needs, and the commands that open it.  Rules only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pacserve.config.settings import DEFAULT_MULTICAST_PORT, DEFAULT_PORT
from pacserve.pacsrv.setup.record import CHAIN, Record
from pacserve.pacsrv.setup.steps import Judgement, Step

# iptables(8) and nft(8); each fails where the program or its part of the kernel is missing.
LIST_IPTABLES = ("iptables", "-S", "INPUT")
LIST_IP6TABLES = ("ip6tables", "-S", "INPUT")
LIST_NFT = ("nft", "--stateless", "list", "ruleset")

_REFUSES = re.compile(r"-j (?:DROP|REJECT)\b")
# The matches with which a rule refuses only some connections, not all that no other rule let in.
_NARROW = re.compile(r"(?:^| )(?:-s|-d|-i|--dports?|--match-set|--ctstate|--state|--limit) ")
_OPENED = re.compile(r"-j pacserve\b")
_NFT_TABLE = re.compile(r"table (\w+) (\S+) \{")
_NFT_CHAIN = re.compile(r"chain (\S+) \{")
_NFT_REFUSES = re.compile(r"(?:counter )?(?:drop|reject)\b")
_NFT_OPENED = 'accept comment "pacserve"'


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The rules that the kernel has now.

    Attributes:
        iptables: The output of `LIST_IPTABLES`; None where it fails, as in the others.
    """

    iptables: str | None = None
    ip6tables: str | None = None
    nft: str | None = None


@dataclass(slots=True)
class _Chain:
    """A chain of nftables that sees what comes in."""

    family: str
    table: str
    name: str
    refuses: bool = False
    opened: bool = False


def judge(rules: Rules, script: str | None, port: int, record: Record) -> Judgement:
    """
    Returns what opens the firewall for pacserve; nothing where it refuses nothing, or is open already.

    Args:
        script: The path of pacserve-firewall; None where it is not found.
        port: The port on which pacserve listens.
    """
    every = list(_chains(rules.nft or ""))
    manager = _manager(rules, every)
    if manager:
        return Judgement(note=manager.format(port=port, multicast=DEFAULT_MULTICAST_PORT))
    closed = [""] if any(_closed(text) for text in (rules.iptables, rules.ip6tables)) else []
    closed += [
        f"{chain.family} {chain.table} {chain.name}"
        for chain in every
        if chain.refuses and not chain.opened and not (rules.iptables is not None and _of_iptables(chain))
    ]
    closed = [chain for chain in closed if not chain or CHAIN.match(chain)]
    if not closed:
        return Judgement()
    ports = f"TCP port {port} and, for multicast, UDP port {DEFAULT_MULTICAST_PORT}"
    if script is None:
        return Judgement(note=f"the firewall is closed, and pacserve-firewall is not found: open {ports}")
    named = ("--port", str(port)) if port != DEFAULT_PORT else ()
    return Judgement(
        Step(
            f"open {ports} in the firewall",
            tuple((script, "add", *named, *_chain_words(chain)) for chain in closed),
            {"firewall": tuple(dict.fromkeys((*record.firewall, *closed)))},
            "the firewall forgets these rules at the next boot, unless they are saved (iptables-save, or /etc/nftables.conf)",
        )
    )


def judge_undo(script: str | None, record: Record) -> Judgement:
    """
    Returns what takes back the step of `judge`.

    Args:
        script: The path of pacserve-firewall; None where it is not found.
    """
    if not record.firewall:
        return Judgement()
    if script is None:
        return Judgement(note="pacserve-firewall is not found, so its rules stay in the firewall until the next boot")
    commands = tuple((script, "remove", *_chain_words(chain)) for chain in record.firewall)
    return Judgement(Step("close the firewall again", commands, {"firewall": ()}))


def _chain_words(chain: str) -> tuple[str, ...]:
    return ("--nft", chain) if chain else ()


def _closed(listed: str | None) -> bool:
    """Returns whether INPUT refuses whatever no rule lets in, and has not been opened."""
    lines = (listed or "").splitlines()
    refuses = any(line.startswith("-P INPUT DROP") or (_REFUSES.search(line) and not _NARROW.search(line)) for line in lines)
    return refuses and not any(_OPENED.search(line) for line in lines)


def _manager(rules: Rules, chains: list[_Chain]) -> str:
    """Returns what to do where a program keeps the firewall that would not keep the rules of others; empty where there is none."""
    if any(chain.table == "firewalld" for chain in chains):
        ports = "--add-port={port}/tcp --add-port={multicast}/udp"
        return f"firewalld keeps the firewall of this host: firewall-cmd --permanent {ports}; firewall-cmd --reload"
    if any("-j ufw" in (text or "") for text in (rules.iptables, rules.ip6tables)):
        return "ufw keeps the firewall of this host: ufw allow {port}/tcp; ufw allow {multicast}/udp"
    return ""


def _of_iptables(chain: _Chain) -> bool:
    """Returns whether a chain is the one of iptables, which keeps its rules in nftables."""
    return chain.family in {"ip", "ip6"} and chain.table == "filter" and chain.name == "INPUT"


def _chains(ruleset: str) -> Iterator[_Chain]:
    """Yields the chains of a ruleset of nftables that see what comes in."""
    family, table = "", ""
    chain = _Chain("", "", "")
    for line in map(str.strip, ruleset.splitlines()):
        if match := _NFT_TABLE.match(line):
            family, table = match[1], match[2]
        elif match := _NFT_CHAIN.match(line):
            chain = _Chain(family, table, match[1])
        elif "type filter hook input" in line:
            chain.refuses = "policy drop" in line
            yield chain
        else:
            chain.refuses = chain.refuses or _NFT_REFUSES.match(line) is not None
            chain.opened = chain.opened or _NFT_OPENED in line
