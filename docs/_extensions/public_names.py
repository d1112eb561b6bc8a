"""Lists of the public names of a module, with a page for each name.

In a page of Markdown::

    ```{public} lrcore.schedules.cycles
    ```

lists what the module exports, with a line on each and a link to its page, which autodoc
makes of its docstring.  Names in the directive's body stand for all names.  With the
option ``:here:`` the docstrings stand in the list's place.

::

    ```{room} lrcore.schedules
    ```

is the docstring of the module, without what it says of modules with an underscore.
"""

import importlib.util
import re
from importlib import import_module
from inspect import getdoc, isclass, ismodule
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from numpydoc.docscrape_sphinx import SphinxDocString
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock
from sphinx.ext.autosummary.generate import generate_autosummary_docs
from sphinx.util.docutils import SphinxDirective

PAGES = "generated"
# Some rooms import another package, and pages on them do not need it.
ABSENT = [
    name
    for name in ("jax", "mlflow", "optax", "sklearn", "thinc", "threadpoolctl", "torch")
    if importlib.util.find_spec(name) is None
]


def imported(name: str) -> ModuleType:
    """Return a module, even if another package that it needs is absent."""
    try:
        return import_module(name)
    except ImportError:
        with mock(ABSENT):
            return import_module(name)


def exported(name: str) -> list[str]:
    """Return the public names of a module, in its order."""
    module = imported(name)
    names = getattr(module, "__all__", None) or [
        each
        for each, value in vars(module).items()
        if not each.startswith("_") and not ismodule(value)
    ]
    return list(dict.fromkeys(names))


def full(module: str, name: str) -> str:
    """Return the shortest way to write a name: that of the package, or of a room."""
    value = getattr(imported(module), name)
    room = ".".join(module.split(".")[:2])
    places = ("lrcore", room, module)
    return next(
        f"{where}.{name}"
        for where in places
        if getattr(imported(where), name, None) is value
    )


def listed(module: str, names: list[str]) -> list[str]:
    """Return the full names of a list: of some names of a module, or of all."""
    return [full(module, name) for name in names or exported(module)]


def calls(page: str) -> list[tuple[str, bool, list[str]]]:
    """Return the module, the option and the names of each list on a page."""
    found = []
    for block in page.split("```{public}")[1:]:
        head, *lines = block.partition("\n```")[0].split("\n")
        here = ":here:" in lines
        names = [line for line in lines if line and not line.startswith(":")]
        found.append((head.strip(), here, names))
    return found


def found(name: str) -> Any:
    """Return what a full name means."""
    module, _, last = name.rpartition(".")
    return getattr(imported(module), last)


class Public(SphinxDirective):
    """The list of the public names of a module."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"here": directives.flag}

    def run(self):
        names = listed(self.arguments[0], list(self.content))
        if "here" in self.options:
            kinds = {
                name: "class" if isclass(found(name)) else "function" for name in names
            }
            lines = [f".. auto{kind}:: {name}" for name, kind in kinds.items()]
        else:
            lines = [".. autosummary::", f"   :toctree: {PAGES}", "   :nosignatures:"]
            lines += ["", *(f"   ~{name}" for name in names)]
        return parsed(self, "\n".join(lines))


class Room(SphinxDirective):
    """The docstring of a module."""

    required_arguments = 1

    def run(self):
        paragraphs = getdoc(imported(self.arguments[0])).split("\n\n")
        told = [each for each in paragraphs if "with an underscore" not in each]
        text = SphinxDocString("\n\n".join(told))
        text["Summary"] = []  # the page's title says it
        return parsed(self, str(text))


def parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """Return what reStructuredText means on a page of Markdown."""
    return directive.parse_text_to_nodes(f"````{{eval-rst}}\n{text}\n````")


FIELD = re.compile(r"[\w*]+(, [\w*]+)* : ")
SECTION = re.compile(r"-{3,}|={3,}")
METADATA = re.compile(r"set_\w+_request")


def fields_as_definitions(app, what, name, obj, options, lines):
    """Make a list of lines such as ``step : the step, from 1``, before all sections."""
    made, inside, after_blank = [], False, True
    for k, line in enumerate(lines):
        if SECTION.fullmatch(line.strip()):
            made += lines[k:]
            break
        begins = FIELD.match(line)
        inside = bool(line) and (inside or (after_blank and begins is not None))
        if inside and begins:
            term, _, text = line.partition(" : ")
            made += [f"``{term}``", f"    {text}"]
        else:
            made.append(f"    {line.strip()}" if inside else line)
        after_blank = not line
    lines[:] = made


def described_elsewhere(names: list[str]) -> dict[str, str]:
    """Return for each class the ancestors whose members do not stand on its page.

    They are those with pages of their own, those of other packages, and theirs.
    """
    things = {name: found(name) for name in names}
    with_pages = [each for each in things.values() if isclass(each)]
    elsewhere = {}
    for name, kind in things.items():
        if isclass(kind):
            others = [
                base
                for base in kind.__mro__[1:]
                if base in with_pages or not base.__module__.startswith("lrcore")
            ]
            hidden = {each.__name__ for base in others for each in base.__mro__}
            elsewhere[name] = ", ".join(sorted(hidden))
    return elsewhere


def write_pages(app):
    """Write the page of each name that the pages in Markdown list."""
    folder = Path(app.srcdir, "reference")
    names = [
        name
        for page in sorted(folder.glob("*.md"))
        for module, here, given in calls(page.read_text())
        if not here
        for name in listed(module, given)
    ]
    wanted = {f"{name}.rst" for name in names}
    for old in Path(folder, PAGES).glob("*.rst"):
        if old.name not in wanted:
            old.unlink()
    text = "".join(f"   {name}\n" for name in dict.fromkeys(names))
    source = Path(app.doctreedir, "public_names.rst")
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(f".. autosummary::\n   :toctree:\n\n{text}")
    app.config.autosummary_context = {"elsewhere": described_elsewhere(names)}
    with mock(ABSENT):
        generate_autosummary_docs([str(source)], str(folder / PAGES), app=app)


def without_noise(app, what, name, member, skip, options):
    """Leave out fields of named tuples, and methods that scikit-learn makes."""
    text = getattr(member, "__doc__", None) or ""
    made = text.startswith("Alias for field number") or METADATA.fullmatch(name)
    return True if made else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.setup_extension("sphinx.ext.autosummary")
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", fields_as_definitions, priority=450)
    app.connect("autodoc-skip-member", without_noise)
    app.add_directive("public", Public)
    app.add_directive("room", Room)
    app.config.autodoc_mock_imports = ABSENT
    return {"parallel_read_safe": True}
