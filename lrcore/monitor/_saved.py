"""The dict in which the steps that a monitor has recorded are saved, and its checks.

Entries, all float64 arrays:

rows, pending, before : those of `Blocks`.
recent : the steps that are not in blocks yet, without their series.
validation : the validation losses of these, each after its place among them.  Where
    the last step in the blocks has one, which is recorded with the step to come, it
    has place 0.
series : the other series, each row of those that are not all NaN after its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import frexp, isnan, nan
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import kind, shortened, shown
from lrcore.monitor._blocks import (
    BLOCKS,
    CHUNK,
    MEASURED,
    NUMBERS,
    VALIDATION,
    WIDTH,
    Blocks,
    Step,
    with_validation,
)

_SERIES = NUMBERS - MEASURED - 1
"""The number of series beside the validation loss."""
_COLUMNS = {
    "rows": WIDTH,
    "pending": WIDTH,
    "recent": MEASURED,
    "before": None,
    "validation": 2,
    "series": 1 + _SERIES,
}
"""The columns of each entry; None: it has one dimension."""
_MOST_ROWS = {
    "rows": BLOCKS,
    "pending": 1,
    "recent": CHUNK - 1,
    "before": 2,
    "validation": CHUNK,
    "series": CHUNK,
}


def saved(blocks: Blocks, recent: list[Step], late: float) -> dict[str, Array]:
    """Return the dict; see `Recorder` for what is saved."""
    steps = np.array(recent, float).reshape(-1, NUMBERS)
    validated = {
        place: loss
        for place, loss in enumerate(steps[:, MEASURED].tolist())
        if not isnan(loss)
    }
    if not isnan(late):
        validated.setdefault(0, late)
    series = steps[:, MEASURED + 1 :]
    given = np.flatnonzero(~np.isnan(series).all(axis=1))
    return {
        "rows": blocks.rows.copy(),
        "pending": blocks.pending.copy(),
        "recent": steps[:, :MEASURED].copy(),
        "before": np.array(blocks.before),
        "validation": np.array([*validated.items()], float).reshape(-1, 2),
        "series": np.column_stack([given, series[given]]),
    }


def restored(found: Any) -> tuple[Blocks, list[Step], float]:
    """Return the blocks, the recent steps and the late validation loss.

    Raises
    ------
    TypeError, ValueError
        `found` was not made by `saved`.
    """
    if isinstance(found, Mapping) and found.keys() == _COLUMNS.keys() - {"series"}:
        found = _with_series(found)
    if not isinstance(found, Mapping) or found.keys() != _COLUMNS.keys():
        raise ValueError(
            f"recorder: expected a dict of {list(_COLUMNS)}, found {kind(found)}"
        )
    for name in _COLUMNS:
        _check(name, found[name])
    rows, pending, measured = found["rows"], found["pending"], found["recent"]
    validation, series = found["validation"], found["series"]
    _check_places("validation", validation, max(len(measured), 1))
    _check_places("series", series, len(measured))
    steps = np.full((len(measured), NUMBERS), nan)
    steps[:, :MEASURED] = measured
    steps[series[:, 0].astype(int), MEASURED + 1 :] = series[:, 1:]
    recent, late = list(map(tuple, steps.tolist())), nan
    for place, loss in validation.tolist():
        if recent:
            recent[int(place)] = with_validation(recent[int(place)], loss)
        else:
            late = loss
    first, second = found["before"].tolist()
    stride = _stride(rows[:, 0], pending[:, 0])
    taken = stride * len(rows) + int(pending[:, 0].sum())
    blocks = Blocks(rows.copy(), pending.copy(), stride, taken, (first, second))
    return blocks, recent, late


def _with_series(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an earlier version saved, which had no series, with empty ones."""
    wider = {
        name: np.column_stack([rows, np.full((len(rows), _SERIES), nan)])
        for name in ("rows", "pending")
        if isinstance(rows := found[name], np.ndarray)
        and rows.ndim == 2
        and rows.shape[1] == VALIDATION + 1
    }
    return {**found, **wider, "series": np.zeros((0, 1 + _SERIES))}


def _check(name: str, value: Any) -> None:
    """Check the dtype and shape of an entry."""
    columns, most = _COLUMNS[name], _MOST_ROWS[name]
    fits = isinstance(value, np.ndarray) and value.dtype == np.float64
    if fits and columns is None:
        fits = value.shape == (most,)
    elif fits:
        fits = value.ndim == 2 and value.shape[1] == columns and len(value) <= most
    if fits:
        return
    shape = f"({most},)"
    if columns is not None:
        shape = f"(n, {columns}), n <= {most}"
    found = shown(value)
    if isinstance(value, np.ndarray):
        found = shortened(f"{value.dtype} of shape {value.shape}")
    raise ValueError(
        f"recorder: {name}: expected float64 of shape {shape}, found {found}"
    )


def _check_places(name: str, values: Array, count: int) -> None:
    """Check that the first column has places among so many steps."""
    if not np.isin(values[:, 0], np.arange(count)).all():
        raise ValueError(
            f"recorder: {name}: expected places among {count} steps, counted from 0, "
            "found others"
        )


def _stride(full: Array, pending: Array) -> int:
    """Return the number of steps of each saved full block.

    full, pending : the numbers of steps of the saved rows.
    """
    stride = float(full[0]) if len(full) else 1.0
    if not (
        (full == stride).all()
        and 1 <= stride < 2**53
        and frexp(stride)[0] == 0.5  # a power of 2
        and stride * len(full) % CHUNK == 0
        and ((pending > 0) & (pending < stride) & (pending % CHUNK == 0)).all()
    ):
        raise ValueError(
            "recorder: expected rows of 1 step each, or of 2, or 4, ..., and one of "
            f"less, all of a multiple of {CHUNK}; found others"
        )
    return int(stride)
