"""The importance of Optuna's parameters."""

from __future__ import annotations

import warnings

import optuna

from lrcore.search._storage import quiet


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the importance of each of Optuna's parameters."""
    with quiet():
        # Optuna warns if there are few trials, or all have the same value.
        warnings.simplefilter("ignore", UserWarning)
        return optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
