"""The code on a page of Markdown, which the tests run as a reader would."""

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

FENCED = re.compile(r"^(`{3,})(.*?)\n(.*?)^\1$", re.M | re.S)
FOLLOWING = re.compile(r"\n*```text\n(.*?)^```$", re.M | re.S)
OPTIONS_OF_A_CELL = re.compile(r"\A(---\n.*?^---\n|(:[^\n]*\n)+)", re.M | re.S)


class Block(NamedTuple):
    """A block of Python, and the block of text that must be what it prints, or ""."""

    code: str
    wanted: str


def code_blocks(text):
    """Return the blocks of Python on a page in order, and the cells of a notebook."""
    blocks = []
    for fenced in FENCED.finditer(text):
        _, language, code = fenced.groups()
        if language == "python":
            shown = FOLLOWING.match(text, fenced.end())
            blocks.append(Block(code, shown[1] if shown else ""))
        elif language.startswith("{code-cell}"):
            blocks.append(Block(OPTIONS_OF_A_CELL.sub("", code), ""))
    return blocks


def run(blocks):
    """Run blocks in order and in one namespace, which is returned.

    Each must print the text that follows it, if there is one.
    """
    names = {"__name__": "__main__"}
    for code, wanted in blocks:
        with redirect_stdout(StringIO()) as printed:
            exec(code, names)
        if wanted:
            assert printed.getvalue() == wanted
    return names
