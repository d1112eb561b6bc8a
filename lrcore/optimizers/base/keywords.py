"""Binds the arguments of a caller to fields, and refuses unknown ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lrcore._shared.named import meant
from lrcore._shared.words import listed, named, shortened, shown

Hyper = dict[str, Any]
"""Hyper-parameters by name."""

# Names in other libraries; the first name that the class has is used.
_ELSEWHERE = {
    "lr": "learning_rate step_size eta schedule scheduler lr_schedule lr_scheduler",
    "betas": "beta beta_1 beta_2 beta_3 beta1 beta2 beta3 b1 b2 b3",
    "momentum": "beta beta_1 beta1 b1 mu",
    "alpha": "rho beta_2 beta2 decay",
    "rho": "alpha decay",
    "eps": "epsilon",
    "weight_decay": "wd weight_decay_rate l2_penalty",
    "l2": "l2_regularization_strength",
    "l1": "l1_regularization_strength",
    "initial_accumulator_value": "initial_scale",
    "decoupled_weight_decay": "decoupled_decay decouple weight_decouple",
    "ema_decay": "ema use_ema ema_momentum",
    "lookahead_steps": "sync_period k",
    "lookahead_alpha": "slow_step_size",
    "grad_scale": "loss_scale loss_scale_factor",
    "accumulate": "gradient_accumulation_steps every_k_schedule",
    "clip_value": "clipvalue",
    "clip_tensor_norm": "clipnorm",
    "clip_norm": "clip grad_clip global_clipnorm max_norm max_grad_norm",
    "groups": "no_decay exclude_from_weight_decay param_groups",
    "num_threads": "n_threads nthreads n_jobs",
}


def bound(
    what: str,
    names: Collection[str],
    positional: Sequence[str],
    args: Sequence[Any],
    given: Hyper,
) -> Hyper:
    """Return a caller's arguments by name.

    what : the class, for errors.
    names : of its fields.  positional : the names of its positional fields.
    args : the positional ones, after the params.  given : those by keyword.

    Raises
    ------
    TypeError
        There are more than the class takes, one is given twice, or there is no such
        keyword.
    """
    known(what, given, names)
    what = shortened(what)
    if len(args) > len(positional):
        raise TypeError(
            f"{what}: takes {len(positional)} arguments without keyword after "
            f"the params ({', '.join(positional)}), found {len(args)}"
        )
    by_place = dict(zip(positional, args, strict=False))
    if twice := by_place.keys() & given.keys():
        raise TypeError(
            f"{what}: found {min(twice)} twice, by its place and by keyword; give it "
            "once"
        )
    return {**by_place, **given}


def known(
    what: str,
    given: Mapping[Any, Any],
    names: Collection[str],
    elsewhere: Collection[str] = (),
) -> None:
    """Check that there are no keywords but the known ones.

    elsewhere : those of the whole optimizer, if these are a group's.

    Raises
    ------
    TypeError
        A keyword is unknown; the message begins with `what` and lists the known ones.
    """
    if not (unknown := given.keys() - set(names)):
        return
    name = min(unknown, key=named)
    hint = "; there are"
    if name in elsewhere:
        hint = (
            ", which belongs to the whole optimizer: give it beside the params, or set "
            f"opt.{name} = ....  There are"
        )
    elif near := meant(name, names, _ELSEWHERE):
        hint = f"; did you mean {near}?  There are"
    raise TypeError(
        f"{shortened(what)}: unexpected keyword {shown(name)}{hint} "
        f"{listed(names, named, room=1200)}"
    )
