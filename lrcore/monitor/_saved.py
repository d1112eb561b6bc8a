"""What is saved of the steps that a monitor has recorded, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import frexp, isnan, nan
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import kind, shown
from lrcore.monitor._blocks import (
    BLOCKS,
    CHUNK,
    MEASURED,
    NUMBERS,
    VALIDATION,
    WIDTH,
    Blocks,
    Step,
)


def saved(blocks: Blocks, recent: list[Step], late: float) -> dict[str, Any]:
    """Return what `restored` takes; see `Recorder` for what is saved."""
    steps = np.array(recent, float).reshape(-1, NUMBERS)
    known = {i: x for i, x in enumerate(steps[:, MEASURED].tolist()) if not isnan(x)}
    if not isnan(late):
        known.setdefault(0, late)
    return {
        "rows": blocks.rows.copy(),
        "pending": blocks.pending.copy(),
        "recent": steps[:, :MEASURED].copy(),
        "before": np.array(blocks.before),
        "validation": np.array([*known.items()], float).reshape(-1, 2),
        "series": _sparse(steps[:, MEASURED + 1 :]),
    }


def restored(saved: Any, wanted: Mapping[str, Any]) -> tuple[Blocks, list[Step], float]:
    """Return the blocks, the recent steps and the late validation loss.

    wanted : what is saved of a recorder without steps.

    Raises
    ------
    TypeError, ValueError
        They were not saved by `saved`.
    """
    if isinstance(saved, Mapping) and saved.keys() == wanted.keys() - {"series"}:
        saved = _with_series(saved)
    if not isinstance(saved, Mapping) or saved.keys() != wanted.keys():
        raise ValueError(
            f"recorder: expected a dict of {list(wanted)}, found {kind(saved)}"
        )
    given = {
        name: _numbers(f"recorder: {name}", saved[name], own, most)
        for (name, own), most in zip(wanted.items(), _MOST_ROWS, strict=True)
    }
    rows, pending = given["rows"].copy(), given["pending"].copy()
    stride = _stride(rows[:, 0], pending[:, 0])
    last = max(len(given["recent"]) - 1, 0)
    for name in ("validation", "series"):
        places = given[name][:, 0]
        if not ((places >= 0) & (places <= last)).all():
            raise ValueError(
                f"recorder: {name}: expected places from 0 to {last}, found others"
            )
    recent = _steps(given["recent"], given["series"])
    places, values = given["validation"].T
    late = nan
    for place, value in zip(places.tolist(), values.tolist(), strict=True):
        if recent:
            recent[int(place)] = validated(recent[int(place)], value)
        else:
            late = value
    before = float(given["before"][0]), float(given["before"][1])
    taken = stride * len(rows) + int(pending[:, 0].sum())
    return Blocks(rows, pending, stride, taken, before), recent, late


# The most rows of each entry of `Recorder.state_dict`.
_MOST_ROWS = (BLOCKS, 1, CHUNK - 1, 2, CHUNK, CHUNK)


def validated(step: Step, value: float) -> Step:
    """Return a step with another validation loss."""
    loss, lr, g, p, u, bad, _, entropy, kl, explained = step
    return loss, lr, g, p, u, bad, value, entropy, kl, explained


def _sparse(series: Array) -> Array:
    """Return the rows that are not all NaN, after their places."""
    places = np.flatnonzero(~np.isnan(series).all(axis=1))
    return np.column_stack([places, series[places]])


def _steps(measured: Array, series: Array) -> list[Step]:
    """Return recent steps from what is saved of them."""
    steps = np.full((len(measured), NUMBERS), nan)
    steps[:, :MEASURED] = measured
    steps[series[:, 0].astype(int), MEASURED + 1 :] = series[:, 1:]
    return list(map(tuple, steps.tolist()))


def _with_series(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a recorder without series saved, with series that are empty.

    Earlier versions had none.
    """
    wider = {
        name: np.column_stack([rows, np.full((len(rows), WIDTH - VALIDATION - 1), nan)])
        for name in ("rows", "pending")
        if isinstance(rows := saved[name], np.ndarray)
        and rows.ndim == 2
        and rows.shape[1] == VALIDATION + 1
    }
    return {**saved, **wider, "series": np.zeros((0, NUMBERS - MEASURED))}


def _stride(full: Array, pending: Array) -> int:
    """Return the number of steps of each saved full block.

    full, pending : the numbers of steps of the saved rows.
    """
    stride = float(full[0]) if len(full) else 1.0
    if not (
        (full == stride).all()
        and 1 <= stride < 2**53
        and frexp(stride)[0] == 0.5
        and stride * len(full) % CHUNK == 0
        and ((pending > 0) & (pending < stride) & (pending % CHUNK == 0)).all()
    ):
        raise ValueError(
            "recorder: expected rows of 1 step each, or of 2, or 4, ..., and one of "
            f"less, all of a multiple of {CHUNK}; found others"
        )
    return int(stride)


def _numbers(name: str, value: Any, like: Array, most: int) -> Array:
    """Check a saved array: float64, with the columns of another, and not too long."""
    fits = (
        isinstance(value, np.ndarray)
        and value.dtype == np.float64
        and value.ndim == like.ndim
        and value.shape[1:] == like.shape[1:]
        and value.shape[0] <= most
        and (like.ndim > 1 or value.shape == like.shape)
    )
    if not fits:
        raise ValueError(
            f"{name}: expected an array of state_dict, found {shown(value)}"
        )
    array: Array = value
    return array
