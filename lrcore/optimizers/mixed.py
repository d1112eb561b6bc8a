"""Several optimizers in one, each for the arrays of a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Any

from lrcore._shared.words import listed, named, shortened, shown
from lrcore.optimizers._families import _named
from lrcore.optimizers.base import by_path
from lrcore.optimizers.base.common import COUPLED
from lrcore.optimizers.base.fields import Number
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.keywords import Hyper, known
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Mixed"]

Given = type[Optimizer] | str | partial[Any] | tuple[Any, Mapping[str, Any]]
"""What stands for an optimizer: its class, its name, one of them with its
hyper-parameters, or a partial."""

_WANTED = "an optimizer, such as lrcore.AdamW or (lrcore.AdamW, dict(lr=1e-3))"

_OWN_METHODS = ("__init__", "step", "step_one", "flush")
"""The methods of an optimizer that a mixture does not call."""


class _Own:
    """In the signature, the default of each optimizer's class."""

    def __repr__(self) -> str:
        return "<that of the class>"


class _Signature:
    """The signature of the constructor, with all keywords."""

    def __get__(self, opt: Any, kind: type[Mixed]) -> Signature:
        own = kind.__init__
        if own is not Mixed.__init__:
            return Signature(list(signature(own).parameters.values())[1:])
        given = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD)
            for name in ("optimizers", "params")
        ]
        for name in _taken(kind):
            field = kind._fields[name]
            default = field.default if field.of_all else _Own()
            given.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default))
        return Signature(given)


class Mixed(Optimizer):
    """Several optimizers in one: each updates the arrays that its pattern matches.

    The first pattern that matches an array's name counts; patterns and names are those
    of `groups`, an argument of every optimizer.  There is one step, one count of
    steps, one norm for `clip_norm`, one report, and one state to save.  If a gradient
    is not finite and `skip_nonfinite` is set, no array is updated.

    Parameters
    ----------
    optimizers : dict
        From patterns to optimizers: a class, its name, ``functools.partial`` of it with
        keywords, or a pair of it and a dict of hyper-parameters.  Such a dict may also
        have a `convention`.
    params : ndarray, or nested list / tuple / dict of ndarray
        As for every optimizer, but no list of groups.
    **common
        Settings of the whole optimizer (`clip_norm`, `accumulate`, `skip_nonfinite`,
        `num_threads`, ...), and hyper-parameters that all optimizers have (lr,
        `lr_scale`, `weight_decay`, `l2`, `ema_decay`, ...), for those that do not set
        their own; by default, each has those of its class.

    Attributes
    ----------
    lr, weight_decay, ...
        Each such hyper-parameter of the first pattern, as it is at the next step;
        setting it sets all.  ``multiply_lr`` and `lr_scale` keep the ratios of rates.
    param_groups : tuple of ParamGroup
        One for each pattern, with its `pattern`, `paths` and `optimizer`.

    All others are those of every optimizer.

    Raises
    ------
    TypeError, ValueError
        An array has no pattern, or a pattern no array; an argument is not valid; or an
        optimizer cannot be one of several: `SPS`, whose rate is made from the loss and
        all gradients, and a subclass with its own ``__init__`` or ``step``.

    Notes
    -----
    An optimizer that finds its rate (`Prodigy`, `DoG`, ...) and Mechanic use the
    sums over the arrays of their pattern.  ``with opt.averaged("x"):`` puts the average
    of a Schedule-Free optimizer into its arrays; those of the others do not change.

    Examples
    --------
    Muon for the matrices of the hidden layers, AdamW for all else:

    >>> import numpy as np, lrcore
    >>> params = {"embed": np.ones((4, 2)), "hidden": [{"W": np.ones((2, 2))}]}
    >>> opt = lrcore.Mixed(
    ...     {"hidden.*": (lrcore.Muon, dict(lr=0.02)), "*": lrcore.AdamW},
    ...     params,
    ...     clip_norm=1.0,
    ... )
    >>> opt.step({"embed": np.ones((4, 2)), "hidden": [{"W": np.ones((2, 2))}]})
    True
    >>> [(group.optimizer.__name__, group.paths) for group in opt.param_groups]
    [('Muon', ["['hidden'][0]['W']"]), ('AdamW', ["['embed']"])]
    """

    __slots__ = ()

    weight_decay: Number = COUPLED.but(doc="As each optimizer defines it.")

    def __init__(
        self, optimizers: Mapping[str, Given], params: Any, **common: Any
    ) -> None:
        with self._constructing(common):
            chosen = {
                pattern: _chosen(f"optimizers[{shown(pattern)}]", given)
                for pattern, given in by_path.by_pattern(
                    "optimizers", optimizers, "a dict from patterns to optimizers"
                )
            }
            own_options, defaults = _common(type(self), common, chosen)
            wanted = []
            for pattern, (kind, own) in chosen.items():
                where = f"optimizers[{shown(pattern)}]"
                wanted.append(
                    by_path.Wanted(pattern, kind, _settled(where, kind, own, defaults))
                )
            made = by_path.make("optimizers", params, wanted)
            self._build(*made, defaults, own_options)

    __signature__ = _Signature()

    def add_group(
        self, params: Any, optimizer: Given | None = None, **hyper: Any
    ) -> ParamGroup:
        """Add params in a new group, with an optimizer: see `Optimizer.add_group`.

        Parameters
        ----------
        params : ndarray, or nested list / tuple / dict of ndarray
            Arrays that the optimizer does not have yet.
        optimizer : as in the constructor
            Updates them.
        **hyper
            Hyper-parameters of the group; the default is that of the constructor, or of
            the class.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> opt = lrcore.Mixed({"*": lrcore.SGD}, np.zeros(2), lr=0.5)
        >>> group = opt.add_group(np.zeros(3), lrcore.Lion, weight_decay=0.1)
        >>> group.optimizer.__name__, group["lr"], opt.step([np.ones(2), np.ones(3)])
        ('Lion', 0.5, True)
        """
        kind, own = _chosen("optimizer", optimizer)
        settled = _settled("optimizer", kind, own, self._group_defaults)
        return self._grow(params, hyper, kind, settled)


def _taken(mixed: type[Mixed]) -> list[str]:
    """Return the names of the keywords: of all fields but the patterns of groups."""
    return [name for name in mixed._fields if name != "groups"]


def _chosen(where: str, given: Any) -> tuple[type[Optimizer], Hyper]:
    """Return the class of an optimizer, and the hyper-parameters given with it."""
    found: Any = given
    own: Hyper = {}
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
        found, own = found[0], dict(found[1])
    if isinstance(found, partial):
        if found.args:
            raise TypeError(
                f"{where}: expected a partial with keywords only, found {shown(found)}"
            )
        found, own = found.func, {**found.keywords, **own}
    if isinstance(found, str):
        found = _named(where, found)
    if isinstance(found, Optimizer):
        raise TypeError(
            f"{where}: expected {_WANTED}, found {shown(found)}, which has its params "
            "already; pass its class"
        )
    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        raise TypeError(f"{where}: expected {_WANTED}, found {shown(given)}")
    name = shortened(found.__name__)
    if found is Optimizer or issubclass(found, Mixed):
        raise TypeError(f"{where}: expected {_WANTED}, found {name}")
    if found._sums_all:
        raise ValueError(
            f"{where}: expected an optimizer other than {name}, which makes its rate "
            "from the loss and the gradients of all arrays"
        )
    for method in _OWN_METHODS:
        if getattr(found, method) is not getattr(Optimizer, method):
            raise ValueError(
                f"{where}: expected an optimizer without its own {method}, which would "
                f"not be called here, found {name}; use it by itself"
            )
    return found, own


def _common(
    mixed: type[Mixed], given: Hyper, chosen: Mapping[str, tuple[type[Optimizer], Any]]
) -> tuple[Hyper, Hyper]:
    """Return the options of the whole, and the hyper-parameters for all optimizers.

    The latter include the convention, which selects each optimizer's defaults.
    """
    fields = mixed._fields
    for name in given.keys() - fields.keys():
        takers = {k.__name__: None for k, _ in chosen.values() if name in k._fields}
        if takers:
            raise TypeError(
                f"{shortened(mixed.__name__)}: unexpected keyword {shown(name)}, which "
                f"not every optimizer has; give it with {listed(takers, named)}: "
                f"({named(next(iter(takers)))}, dict({name}=...))"
            )
    if given.get("groups") is not None:
        raise TypeError(
            "groups: expected patterns in one dict, with the optimizers, as in "
            "{'*.bias': (lrcore.AdamW, dict(weight_decay=0.0)), '*': lrcore.AdamW}, "
            f"found {shown(given['groups'])} besides"
        )
    known(mixed.__name__, given, _taken(mixed))
    options = {
        name: field.check(given.get(name, field.default))
        for name, field in fields.items()
        if field.of_all
    }
    kept = {name: value for name, value in given.items() if not fields[name].of_all}
    return options, {**kept, "convention": options["convention"]}


def _settled(where: str, kind: type[Optimizer], own: Hyper, defaults: Hyper) -> Hyper:
    """Return all hyper-parameters of an optimizer for its arrays."""
    names = [name for name, field in kind._fields.items() if not field.of_all]
    known(where, own, [*names, "convention"], elsewhere=kind._fields)
    try:
        settled = kind._settled({**defaults, **own})
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None
    return {name: settled[name] for name in names}
