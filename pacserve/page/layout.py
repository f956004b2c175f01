"""The frame of every page: its head, its landmarks, and the search form."""

from __future__ import annotations

from pacserve.page.text import escape

SHORTEST_QUERY = 2
"""Characters of a search at least: nearly every name contains any single one."""

LONGEST_QUERY = 100
"""Characters of a search at most."""


def document(title: str, main: str, now: float, *, query: str = "", live: bool = False) -> bytes:
    """
    Returns a whole HTML document.

    Args:
        main: The content in HTML.
        query: The text of the search form.
        live: True if the page carries the script that keeps it up to date.
    """
    home = "" if live else '<p><a href="/">Back to the status of this host</a></p>\n'
    script = '<script src="/static/page.js" defer></script>\n' if live else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} - pacserve</title>\n"
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/static/page.css">\n'
        f"{script}</head>\n"
        f'<body data-now="{now:.0f}">\n'
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f"<header>\n<h1>{escape(title)}</h1>\n"
        '<form role="search" action="/search" method="get">\n'
        '<label for="q">Find a package on the LAN</label>\n'
        f'<input id="q" name="q" type="search" maxlength="{LONGEST_QUERY}" autocomplete="off" spellcheck="false" value="{escape(query)}">\n'
        "<button>Search</button>\n</form>\n</header>\n"
        f'<main id="main" tabindex="-1">\n{home}{main}</main>\n'
        "<footer><p>pacserve: the machines around you are the first mirror.</p></footer>\n"
        "</body>\n</html>\n"
    ).encode()


def section(name: str, heading: str, content: str) -> str:
    """
    Returns a landmark of the page.

    Args:
        name: Unique in the page.
        content: HTML.
    """
    return f'<section aria-labelledby="{name}-heading">\n<h2 id="{name}-heading">{escape(heading)}</h2>\n{content}</section>\n'


def facts(rows: dict[str, tuple[str, str]], kind: str) -> str:
    """
    Returns a list of names and values.

    Args:
        rows: Each name with the HTML of its value, by the id of the value's element.
        kind: The class of the list.
    """
    items = [f'<div><dt>{escape(name)}</dt><dd id="{key}">{content}</dd></div>\n' for key, (name, content) in rows.items()]
    return f'<dl class="{kind}">\n{"".join(items)}</dl>\n'
