"""Refuses unknown keywords of a schedule, and suggests the name that was meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from inspect import Parameter

from lrcore._shared.named import meant
from lrcore._shared.words import listed, named, shown

# Names in torch, Keras, optax and transformers, in lower case; the first name that the
# schedule has is used.
_ELSEWHERE = {
    "base": "lr learning_rate initial_learning_rate init_value base_lr base_value",
    "peak": "lr learning_rate max_lr peak_lr peak_value",
    "end": "eta_min min_lr lr_min end_lr final_lr end_value end_learning_rate alpha",
    "total": "t_max total_iters total_steps num_training_steps decay_steps steps",
    "every": "step_size t_0 first_decay_steps decay_steps transition_steps",
    "at": "milestones boundaries",
    "gamma": "factor decay_rate m_mul",
    "rate": "decay_rate",
    "mult": "t_mult t_mul",
    "div": "div_factor",
    "final_div": "final_div_factor",
    "shape": "anneal_strategy anneal_func",
    "model_size": "d_model",
    "up": "step_size_up",
    "down": "step_size_down",
    "warmup_steps": "warmup num_warmup_steps",
}


def check_keywords(
    schedule: str,
    given: Iterable[str],
    parameters: Mapping[str, Parameter],
    old: Collection[str] = (),
) -> None:
    """Check that a schedule has all keywords that are given to it.

    schedule : its name, or that of the function that makes it.
    parameters : those it has; any keyword is right if one stands for all others.
    old : names that still work.

    Raises
    ------
    TypeError
        A keyword is unknown; the message lists the known ones.
    """
    unknown = {*given} - {*parameters, *old}
    others = (each.kind == Parameter.VAR_KEYWORD for each in parameters.values())
    if not unknown or any(others):
        return
    name = min(unknown)
    hint = "; there are"
    if near := meant(name, parameters, _ELSEWHERE):
        hint = f"; did you mean {near}?  There are"
    elif "warmup" in name and schedule.lower() != "warmup":
        hint = f"; write {schedule}(...).warmup(steps).  There are"
    known = listed(parameters, named)
    raise TypeError(f"{schedule}: unexpected keyword {shown(name)}{hint} {known}")
