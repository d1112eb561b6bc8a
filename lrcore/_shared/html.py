"""Small tables for notebooks: no script, no colour, nothing to load."""

from __future__ import annotations

from collections.abc import Iterable

from lrcore._shared.words import printable


def table(caption: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return an HTML table of names and values, whose texts stay text.

    It sets no colour, so that it follows the notebook's theme, light or dark.
    """
    from html import escape  # imported here, as only notebooks need its tables

    left = 'style="text-align: left; vertical-align: top"'
    body = "".join(
        f'<tr><th scope="row" {left}>{escape(printable(name))}</th>'
        f"<td {left}>{escape(printable(value))}</td></tr>"
        for name, value in rows
    )
    head = f'<caption style="text-align: left">{escape(caption)}</caption>'
    return f"<table>{head}<tbody>{body}</tbody></table>"
