"""The docstrings and signatures of optimizers, generated from fields on first use.

The site shows the parameters of all optimizers on one page, by `entry` and the texts
below, and those of a class by `Docstring.with_own`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, Signature, cleandoc, signature
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any

from lrcore._shared.domains import Domain
from lrcore.optimizers.base.common import Common
from lrcore.optimizers.base.fields import Field

if TYPE_CHECKING:
    from lrcore.optimizers.base.kind import Kind

MARK = "{parameters}"
"""The mark in a docstring that the generated sections replace."""

PARAMS = """\
params : ndarray, nested list / tuple / dict of ndarray, or list of groups
    float32 or float64, C- or F-contiguous, writable, sharing no memory.  They are
    updated in place, so keep the arrays: ``params["W"] = params["W"] - ...`` is refused
    at the next step.  A group is a dict with the key ``"params"`` and hyper-parameters
    of its own; `groups` makes groups by name."""

REST = """\
Attributes
----------
t : int
    Steps taken.
lr, weight_decay, ...
    The hyper-parameters of the first group, as they are at the next step; setting one
    sets it in all groups, with a warning if their lr differ: `multiply_lr` keeps the
    ratios.  ``param_groups[0][name]`` is that of one group.
grad_scale, clip_norm, skip_nonfinite, num_threads, ...
    The settings of the whole optimizer, as given; they can be set.
report : Report or None
    The last step in numbers (`telemetry`).
param_groups : tuple of ParamGroup
    Params and hyper-parameters of each group, to read and set by name.
state : tuple of mapping
    The state arrays of each parameter, in the order of params: to read, not to write.
ema, swa, slow
    The averages that are kept, in the structure of params: to read, not to write.
    ``with opt.averaged():`` puts one into the params for a while.

Raises
------
TypeError, ValueError
    A parameter or hyper-parameter cannot be used; the message names it.

Notes
-----
A schedule is any callable that takes the number of steps taken before, 0 for the
first, and returns a number (betas: two): see ``lrcore.schedules``.

Gradients are treated in the order of the parameters above: grad_scale, the mean of
those gathered, clip_value, clip_tensor_norm, agc, clip_norm; then come weight decay
and the rule."""


class Docstring:
    """A docstring whose mark is replaced on first reading; many are never read."""

    def __init__(self, kind: type[Kind], text: str) -> None:
        self.kind = kind
        self.written = text
        self.made = ""

    def __get__(self, opt: Any, kind: type) -> str:
        if not self.made:
            names = self.kind._fields
            self.made = self._with(f"{_parameters(self.kind, names)}\n\n{REST}")
        return self.made

    def with_own(self, others: str) -> str:
        """Return it with the class's own parameters; `others` tells of the others."""
        return self._with(f"{_parameters(self.kind, own(self.kind))}\n{others}")

    def _with(self, sections: str) -> str:
        return cleandoc(self.written).replace(MARK, sections)


class ConstructorSignature:
    """The signature of a class's constructor, made on first use.

    init : the constructor that takes fields; a child may have another one.
    """

    def __init__(self, init: Callable[..., None]) -> None:
        self.init = init

    def __get__(self, opt: Any, kind: type[Kind]) -> Signature:
        own = kind.__init__
        if own is not self.init:
            _, *given = signature(own).parameters.values()
            return Signature(given)
        arguments = [Parameter("params", Parameter.POSITIONAL_OR_KEYWORD)]
        for name, field in kind._fields.items():
            how = (
                Parameter.POSITIONAL_OR_KEYWORD
                if name in kind._positional
                else Parameter.KEYWORD_ONLY
            )
            arguments.append(Parameter(name, how, default=field.default))
        return Signature(arguments)


def own(kind: type[Kind]) -> list[str]:
    """Return the names of the fields in which a class differs from the others."""
    common = Common._fields
    names = [n for n, field in kind._fields.items() if field is not common.get(n)]
    return [*names, "convention"] if kind._conventions else names


def _parameters(kind: type[Kind], names: Iterable[str]) -> str:
    """Return the section that describes these fields."""
    entries = "\n".join(entry(kind, kind._fields[name]) for name in names)
    return f"Parameters\n----------\n{PARAMS}\n{entries}"


def entry(kind: type[Kind], field: Field[Any, Any]) -> str:
    """Return the text of a field in a docstring."""
    domain, default = _domain(field), spelled(field.default)
    told = f"{domain}, by default {default}." if domain else f"Default {default}."
    text = f"{field.doc}  {told}"
    values = _type(field)
    if field.name == "convention":
        names = ", ".join(f'"{name}"' for name in kind._known_conventions())
        values, text = f"{{{names}}}", f"{field.doc}  {_presets(kind)}{told}"
    text = fill(text, 84, break_on_hyphens=False, break_long_words=False)
    return f"{field.name} : {values}\n{indent(text, ' ' * 4)}"


def _type(field: Field[Any, Any]) -> str:
    if isinstance(field.domain, Domain):
        names = [field.domain.kind]
        names += [] if field.fixed else ["schedule"]
        names += ["None"] if field.domain.optional else []
        return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    each = (d.kind + (" or None" if d.optional else "") for d in field.domain)
    also = field.also and f", {field.also}"
    return f"({', '.join(each)}){also} or schedule"


def _domain(field: Field[Any, Any]) -> str:
    """Return the text of a domain; "" if the type is enough."""
    if not isinstance(field.domain, Domain):
        texts = dict.fromkeys(domain.text for domain in field.domain)
        said = " and ".join(texts)
        said = f"each {said}" if len(texts) == 1 else said
    elif field.domain.kind.startswith(("float", "int")):
        said = field.domain.text.removesuffix(" or None")
    else:
        return ""
    return said[0].upper() + said[1:]


def _presets(kind: type[Kind]) -> str:
    """Return the text of the defaults that conventions set."""
    told = ""
    for name in kind._conventions:
        preset = kind._preset(name, {n: f.default for n, f in kind._fields.items()})
        values = ", ".join(f"{key}={spelled(value)}" for key, value in preset.items())
        told += f"``{name}``: {values}.  " if values else ""
    return told


def spelled(value: Any) -> str:
    """Return a default as readable text."""
    if isinstance(value, tuple):
        return f"({', '.join(map(spelled, value))})"
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value).removesuffix(".0").replace("e-0", "e-")
