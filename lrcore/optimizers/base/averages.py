"""Averages of the params beside any optimizer: EMA, SWA, Lookahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lrcore._shared.words import shown
from lrcore.optimizers.base.keywords import Hyper

Weight = Callable[[int], float]
"""Maps the step, from 1, to the weight of the params in the average; 0: no change."""


PULLS = frozenset({"slow"})
"""The averages that are copied into the params."""

ASKED_BY = {
    "ema": "ema_decay=...",
    "swa": "swa_start=...",
    "slow": "lookahead_steps=...",
}
"""The keyword that turns on each average."""


def common(h: Hyper) -> Mapping[str, Weight]:
    """Return the averages that hyper-parameters ask for, in the order of the step.

    The slow weights come first, because they change the params that others average.
    """
    averages: dict[str, Weight] = {}
    if h["lookahead_steps"] is not None:
        averages["slow"] = _slow(h["lookahead_steps"], h["lookahead_alpha"])
    if h["ema_decay"] is not None:
        averages["ema"] = _ema(h["ema_decay"])
    if h["swa_start"] is not None:
        averages["swa"] = _swa(h["swa_start"], h["swa_every"])
    return averages


def common_but_lookahead(h: Hyper, name: str) -> Mapping[str, Weight]:
    """Return `common` for a class whose states determine the params.

    Raises
    ------
    ValueError
        Lookahead is turned on.
    """
    if h["lookahead_steps"] is not None:
        raise ValueError(
            f"lookahead_steps: expected None for {name}, whose states say where the "
            f"params are, found {shown(h['lookahead_steps'])}"
        )
    return common(h)


def begins(h: Hyper) -> Mapping[str, int]:
    """Return the first step of each average that starts late; before, it is p."""
    return {} if h["swa_start"] is None else {"swa": max(h["swa_start"], 1)}


def _slow(steps: int, alpha: float) -> Weight:
    return lambda t: alpha if t % steps == 0 else 0.0


def _ema(decay: float) -> Weight:
    return lambda t: 1.0 if t == 1 else 1 - decay


def _swa(start: int, every: int) -> Weight:
    def weight(t: int) -> float:
        since = t - max(start, 1)
        return 1 / (since // every + 1) if since >= 0 and since % every == 0 else 0.0

    return weight
