"""The arguments of a class: the fields of lrcore's, and those that only torch's has."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature, signature
from typing import Any

import torch

import lrcore
from lrcore._shared.words import shown
from lrcore.optimizers.base.keywords import Hyper, bound

_ELSEWHERE = {
    "groups": "make groups as torch does: [{'params': ..., 'lr': ...}, ...]",
    "accumulate": "call backward() several times before step(): p.grad is their sum",
    "convert_grads": "gradients of another layout are always converted",
    "comm": "torch.distributed, or lrcore's own class on NumPy arrays",
    "project": "change the params after step(), under torch.no_grad()",
}
"""The options of lrcore that torch has another way for."""

_WITHOUT_EFFECT = ("foreach", "fused")
"""What torch's classes can be asked for, and what makes no difference here."""


class Arguments:
    """The arguments of the class made of a class of lrcore.

    fields : by name: hyper-parameters, then options of the whole optimizer.
    torchs : the arguments that torch's class of the name has besides, with defaults.
    hyper : the names of the hyper-parameters, which groups have.
    none_is_default : the names of those for which torch's default is None.
    """

    def __init__(self, kind: type[lrcore.Optimizer]) -> None:
        self.kind = kind
        theirs: Mapping[str, Parameter] = {}
        if hasattr(torch.optim, kind.__name__):
            theirs = signature(getattr(torch.optim, kind.__name__)).parameters
        self.fields = {n: f for n, f in kind._fields.items() if n not in _ELSEWHERE}
        self.hyper = [name for name, field in self.fields.items() if not field.of_all]
        self.torchs = {
            name: parameter.default
            for name, parameter in theirs.items()
            if name != "params" and name not in kind._fields
        }
        by_place = [n for n, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.positional = by_place[1:] or list(kind._positional)
        self.none_is_default = {n for n, p in theirs.items() if p.default is None}

    def split(self, args: tuple[Any, ...], given: Hyper) -> tuple[Hyper, Hyper]:
        """Return the defaults of groups, and the options of the whole optimizer.

        Raises
        ------
        TypeError, ValueError
            An argument is unknown, or cannot have this value.
        """
        name = self.kind.__name__
        for option, how in _ELSEWHERE.items():
            if option in given:
                raise TypeError(f"{option}: not an option of lrcore.torch; {how}")
        own = [*self.fields, *self.torchs]
        values = bound(name, own, self.positional, args, given)
        torchs = {n: values.pop(n, default) for n, default in self.torchs.items()}
        settled = self.kind._settled({n: self._own(n, v) for n, v in values.items()})
        options = {}
        for option, field in self.fields.items():
            checked = field.check(settled[option])
            if field.of_all:
                options[option] = checked
            elif option not in values:
                values[option] = checked
        defaults = {n: values[n] for n in self.hyper} | torchs
        self.hyper_of("", defaults)
        return defaults, options

    def hyper_of(self, where: str, group: Mapping[str, Any]) -> Hyper:
        """Return the hyper-parameters of a group as lrcore takes them.

        Raises
        ------
        ValueError
            An argument of torch's asks for what is impossible here.
        """
        for name, default in self.torchs.items():
            value = group.get(name, default)
            if name not in _WITHOUT_EFFECT and value is not default and value:
                raise ValueError(
                    f"{where}{name}: expected {default}, found {shown(value)}; lrcore "
                    "steps plain CPU tensors, outside of graphs: leave it out"
                )
        return {n: self._own(n, group[n]) for n in self.hyper if n in group}

    def _own(self, name: str, value: Any) -> Any:
        """Return the value of a field as lrcore takes it."""
        if value is None and name in self.none_is_default:
            return self.fields[name].default
        return plain(value)

    def signature(self) -> Signature:
        """Return the signature of the constructor."""
        by_place = Parameter.POSITIONAL_OR_KEYWORD
        defaults = {n: f.default for n, f in self.fields.items()} | self.torchs
        names = [*self.positional, *(n for n in defaults if n not in self.positional)]
        return Signature(
            [Parameter("params", by_place)]
            + [
                Parameter(
                    name,
                    by_place if name in self.positional else Parameter.KEYWORD_ONLY,
                    default=defaults[name],
                )
                for name in names
            ]
            + [Parameter("master", Parameter.KEYWORD_ONLY, default=False)]
        )


def plain(value: Any) -> Any:
    """Return a hyper-parameter with floats for the tensors in it."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise ValueError(
                f"expected a tensor of one number, found one of {value.numel()}"
            )
        return value.item()
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    return value
