"""The pages of the optimizers: their own parameters, and one page for the common ones.

The docstrings themselves have all of them, as `help` shows a class alone.
"""

import re
from inspect import Parameter, signature

from numpydoc.docscrape_sphinx import SphinxDocString
from public_names import parsed
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import lrcore
from lrcore.optimizers.base import common, docs

OTHERS = """**common
    The parameters of every optimizer: :doc:`/reference/common_parameters`."""


def classes():
    """Return the optimizers' classes."""
    return [each.kind for each in lrcore.optimizers.available().values()]


def own_parameters(app, what, name, obj, options, lines):
    """Replace the docstring of an optimizer by one with its own parameters."""
    if what == "class" and obj in classes():
        lines[:] = vars(obj)["__doc__"].with_own(OTHERS).splitlines()


def own_signature(app, what, name, obj, options, given, returned):
    """Shorten the signature of an optimizer's constructor alike."""
    if what != "class" or obj not in classes():
        return None
    whole = signature(obj)
    own = {"params", *docs.own(obj)}
    kept = [p for n, p in whole.parameters.items() if n in own]
    kept.append(Parameter("common", Parameter.VAR_KEYWORD))
    return str(whole.replace(parameters=kept)), ""


class CommonParameters(SphinxDirective):
    """The fields of a class of ``lrcore/optimizers/base/common.py``."""

    required_arguments = 1

    def run(self):
        lines = []
        for name in getattr(common, self.arguments[0])._fields:
            field = lrcore.Optimizer._fields[name]
            head, *text = docs.entry(lrcore.Optimizer, field).splitlines()
            lines += [f".. py:attribute:: {name}", ""]
            lines += [f"    *{head.partition(' : ')[2]}*", "", *text, ""]
        return parsed(self, "\n".join(lines))


class CommonNotes(SphinxDirective):
    """What else the docstring of each optimizer says of all of them."""

    def run(self):
        head = f"Parameters\n----------\n{docs.PARAMS}\n\n{docs.REST}"
        return parsed(self, str(SphinxDocString(head)))


class OptimizersTable(SphinxDirective):
    """``lrcore.optimizers.table()``, with a link to each class."""

    def run(self):
        table = lrcore.optimizers.table()
        linked = re.sub(r"^\| `(\w+)`", r"| {py:class}`lrcore.\1`", table, flags=re.M)
        linked = linked.replace("{py:class}`lrcore.", "{py:class}`~lrcore.")
        return self.parse_text_to_nodes(linked)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    # numpydoc reads the lines in the same event, at the usual priority of 500.
    app.connect("autodoc-process-docstring", own_parameters, priority=400)
    app.connect("autodoc-process-signature", own_signature, priority=400)
    app.add_directive("common-parameters", CommonParameters)
    app.add_directive("common-notes", CommonNotes)
    app.add_directive("optimizers-table", OptimizersTable)
    return {"parallel_read_safe": True}
