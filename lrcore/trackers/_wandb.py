"""Steps in a run of Weights & Biases."""

from __future__ import annotations

from typing import Any

from lrcore._shared.words import shown
from lrcore.monitor import Finding
from lrcore.trackers._tracker import NAMES, Tracker, needed


class WandB(Tracker):
    """Write steps to a run of Weights & Biases: numbers, and findings as texts.

    The numbers have an axis of their own, "lrcore/step", so that other calls of
    ``run.log`` go on as they are.  A run of ``wandb.init(mode="offline")`` writes a
    local file.

    Parameters
    ----------
    run : wandb.Run or None
        Default None: the run of the last ``wandb.init()``.
    every : int, default 1
    prefix : str, default "lrcore/"
        As for `Tracker`.

    Raises
    ------
    TypeError, ValueError
        An argument is something else, or there is no run.
    ImportError
        wandb is not installed.
    """

    def __init__(
        self, run: Any = None, *, every: int = 1, prefix: str = "lrcore/"
    ) -> None:
        super().__init__(every, prefix)
        wandb = needed("wandb", "WandB", "wandb")
        if run is None and (run := wandb.run) is None:
            raise ValueError(
                "run: expected a run, found none; call wandb.init() before"
            )
        if not hasattr(run, "define_metric"):
            raise TypeError(f"run: expected a run of wandb, found {shown(run)}")
        self.run = run
        axis = f"{prefix}step"
        run.define_metric(axis, hidden=True)
        for name in (*NAMES, "findings"):
            run.define_metric(prefix + name, step_metric=axis)

    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        row: dict[str, Any] = self._named({"step": step, **values})
        if findings:
            row[f"{self.prefix}findings"] = "\n".join(map(str, findings))
        self.run.log(row)
