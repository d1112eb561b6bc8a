"""Settings of the whole optimizer, for all groups: scaling, clipping, threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore import _core
from lrcore._shared.domains import Domain, choice, count, steps
from lrcore._shared.words import shortened, shown
from lrcore.optimizers.base.fields import Field, Fields, Given
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.spikes import ZClip
from lrcore.optimizers.base.values import asking, scheduled

MOST = 2**31 - 1
"""The largest int of the C core."""

_NUMBERS = ("grad_scale", "clip_norm", "clip_eps")
"""The options that can be schedules."""

STEPS = steps(0)
"""The counts of steps."""

SAVED = (*_NUMBERS, "accumulate", "skip_nonfinite", "denormals")
"""The options that change results."""


class _Comm(Domain):
    """The ranks that step together; the room `distributed` knows what they are."""

    kind = "Comm"

    def _read(self, name: str, value: Any, wanted: str) -> Any:
        from lrcore.distributed import _words

        return _words.checked(value)


COMM = _Comm("the processes that step together")

NUM_THREADS = count(1).or_none()
DENORMALS = choice("flush", "keep")


class Option(Field[Given, Given]):
    """A field of the whole optimizer; its attribute is the given value or schedule."""

    of_all = True
    __slots__ = ()

    if not TYPE_CHECKING:

        def __get__(self, opt: Any, kind: type) -> Any:
            return self if opt is None else opt._options[self.name]

    def __set__(self, opt: Any, value: Given) -> None:
        name = self.name
        if self.initial:
            raise ValueError(f"{name}: used at construction only; it cannot be set now")
        if name == "accumulate" and opt._plan.gathered:
            raise ValueError(
                f"accumulate: found {shown(value)} after {opt._plan.gathered} of "
                f"{shown(opt.accumulate)} gradients were gathered; set it after the "
                "update, which opt.flush() makes of them"
            )
        checked = self.check(value)
        gathered = name == "grad_scale" and opt._plan.gathered > 0
        commit = _core.Commit(opt._plan.lock, unchanged=gathered)
        commit.keep(opt, "_options")
        if gathered:  # by the scale of their calls
            old, new = (_at(self, each)(opt.t) for each in (opt.grad_scale, checked))
            for own in opt._plan.gathered_arrays:
                with np.errstate(all="ignore"):
                    product = np.multiply(own, old / new, out=np.empty_like(own))
                commit.copy(own, product)
        opt._add_options(commit, {**opt._options, name: checked})
        commit.make()


def arrays(options: Hyper) -> list[str]:
    """Return the names of the states that options need, of a parameter's shape."""
    names = [_core.LAST_P, _core.LAST_G] if options["curvature"] else []
    if options["accumulate"] > 1 and options["comm"] is None:
        names.append(_core.GATHERED)  # with comm, the ranks keep them
    return names


def settings(plan: _core.Plan, options: Hyper, fields: Fields) -> _core.Settings:
    """Return checked options as a plan takes them.

    fields : those of the optimizer's class, by name.
    """
    given = {name: options[name] for name in _NUMBERS}
    zclip = given["clip_norm"]
    if isinstance(zclip, ZClip):
        given["clip_norm"] = None
    else:
        zclip = None
    scale, norm, eps = (_at(fields[name], given[name]) for name in _NUMBERS)

    def numbers(t: int) -> tuple[float, float, float]:
        return scale(t), norm(t) or 0.0, eps(t)

    if options["curvature"] and not options["telemetry"]:
        raise ValueError(
            "curvature: expected False without telemetry, found True; set "
            "telemetry=True, too: the report has the results"
        )
    changes = any(map(scheduled, given.values()))
    threads = check_num_threads(options["num_threads"])
    if plan.ranks is not None:
        threads = threads or plan.ranks.threads
    return _core.Settings(
        plan,
        num_threads=threads,
        keep_subnormals=check_denormals(options["denormals"]),
        skip_nonfinite=options["skip_nonfinite"],
        zero_grads=options["zero_grads"],
        convert_grads=options["convert_grads"],
        accumulate=min(options["accumulate"], MOST),
        telemetry=options["telemetry"],
        project=options["project"],
        numbers=None if changes else numbers(0),
        scheduled=numbers if changes else None,
        zclip=zclip,
    )


def check_project(kind: type[Kind], project: Any) -> None:
    """Check that the params of a kind of optimizer can be projected after a step."""
    if project is not None and not all(each._projects for each in kind._kinds()):
        raise ValueError(
            f"project: expected None for {shortened(kind.__name__)}, whose params "
            f"are between its average x and its state z, found {shown(project)}; "
            "project a copy of opt.x where you use it"
        )


def _at(field: Field[Any, Any], value: Any) -> Callable[[int], Any]:
    """Return the value of an option after t steps, as a function of t."""
    return asking(field, value) if scheduled(value) else lambda t: value


def check_num_threads(n: int | None) -> int:
    """Return its number for the kernels; 0 for None."""
    return min(NUM_THREADS.check("num_threads", n) or 0, MOST)


def check_denormals(what: str) -> bool:
    """Return whether subnormals are kept."""
    return bool(DENORMALS.check("denormals", what) == "keep")
