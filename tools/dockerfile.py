"""Reads the instructions of a Dockerfile, so that tests run its steps where no Docker is."""

from __future__ import annotations


def instructions(text: str) -> tuple[tuple[str, str], ...]:
    """Returns each instruction and what follows it, in their order, without comments and with continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines())
    return tuple((word, " ".join(rest.split())) for word, rest in pairs)
