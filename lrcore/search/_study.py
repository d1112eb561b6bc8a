"""Make or continue a study of `lrcore.tune` on Optuna."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from lrcore._shared.words import shown
from lrcore.search._plan import Plan


def open_study(plan: Plan, storage: Any, worker: int = 0) -> optuna.Study:
    """Return the study of this name, a new one if there is none, with a new sampler.

    Raises
    ------
    ValueError
        The storage has another study of this name.
    """
    study = optuna.create_study(
        study_name=plan.name,
        storage=storage,
        pruner=_pruner(plan),
        direction="maximize" if plan.maximize else "minimize",
        load_if_exists=True,
    )
    about = {
        "mode": "max" if plan.maximize else "min",
        "space": {name: repr(d) for name, d in plan.space.items()},
        "grid": _digest(plan.points) if any(plan.points) else "none",
    }
    # `kept` is read after the trials, because `about` is set before trials are queued.
    trials = study.get_trials(deepcopy=False)
    kept = study.user_attrs.get("lrcore")
    if kept is None and not trials:
        study.set_user_attr("lrcore", kept := about)
    theirs = f"name: the storage has a study {shown(plan.name)}"
    if kept is None:
        raise ValueError(
            f"{theirs} that is not of lrcore.tune: expected none, or one without "
            f"trials, found {len(trials)}; give this one another name"
        )
    # A study without trials has directions, too.
    modes = " and ".join(each.name[:3].lower() for each in study.directions)
    before = {**kept, "mode": modes}
    for what, now in about.items():
        if before.get(what) != now:
            raise ValueError(
                f"{theirs} of another {what}: expected {shown(before.get(what))}, "
                f"found {shown(now)}; give this one another name"
            )
    # Workers, and later calls, must not draw the same trials again.
    seed = plan.seed
    if seed is not None:
        started = sum(t.state != TrialState.WAITING for t in trials)
        mixed = np.random.SeedSequence([seed, worker, started])
        seed = int(mixed.generate_state(1)[0])
    study.sampler = _sampler(plan.method, seed)
    return study


def _digest(points: list[dict[str, Any]]) -> str:
    """Return a short text that differs for other grids."""
    return f"{len(points)} points, {zlib.crc32(json.dumps(points).encode()):08x}"


def _sampler(method: str, seed: int | None) -> Any:
    if method == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if method == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(plan: Plan) -> Any:
    if plan.method == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=plan.min_steps, reduction_factor=plan.reduction
        )
    if plan.method == "hyperband":
        assert plan.max_steps is not None
        return optuna.pruners.HyperbandPruner(
            min_resource=plan.min_steps,
            max_resource=plan.max_steps,
            reduction_factor=plan.reduction,
        )
    return optuna.pruners.NopPruner()
