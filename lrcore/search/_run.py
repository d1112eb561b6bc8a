"""Run a study, and read its trials from Optuna's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from lrcore.search._plan import Plan
from lrcore.search._progress import bar, note
from lrcore.search._queue import bury, completed, fill
from lrcore.search._study import open_study
from lrcore.search._trial import State, Trial
from lrcore.search._work import work
from lrcore.search._workers import work_together


def run(
    plan: Plan, storage: Any, n_jobs: int, progress: bool, lost: bool
) -> optuna.Study:
    """Run the rest of a study.

    lost : whether an error loses the trials; it gets their table as a note then.
    """
    study = open_study(plan, storage)
    bury(study)
    fill(study, plan)
    found = finished(study, plan)
    with bar(progress, len(plan.points), len(found)) as advance:

        def done(each: FrozenTrial) -> bool:
            found.extend(_trials([each], plan))
            values = [t.value for t in found if t.state == "finished"]
            best = max if plan.maximize else min
            advance(best(values, default=math.nan))
            return True

        try:
            if n_jobs == 1:
                work(study, plan, done)
            else:
                work_together(study, plan, storage, n_jobs, done)
        except BaseException as error:
            if lost:
                note(error, found, plan.space, "max" if plan.maximize else "min")
            raise
    return study


def finished(study: optuna.Study, plan: Plan) -> list[Trial]:
    """Return the completed trials of a study."""
    return _trials(study.get_trials(deepcopy=False), plan)


def _trials(every: Sequence[FrozenTrial], plan: Plan) -> list[Trial]:
    return [_trial(trial, plan) for trial in every if completed(trial)]


def _trial(trial: FrozenTrial, plan: Plan) -> Trial:
    state: State = "pruned" if trial.state.name == "PRUNED" else "finished"
    value = math.nan if trial.value is None else trial.value
    reported = [x for _, x in sorted(trial.intermediate_values.items())]
    if "diverged" in trial.user_attrs:
        state, value = "diverged", math.nan
    elif "caught" in trial.user_attrs:
        state, value = "failed", math.nan
    took = trial.duration
    return Trial(
        trial.number,
        {name: d.read(name, trial.params) for name, d in plan.space.items()},
        value,
        state,
        tuple(x if math.isfinite(x) else math.nan for x in reported),
        math.nan if took is None else took.total_seconds(),
    )
