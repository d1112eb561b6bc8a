"""How much each of Optuna's parameters explains."""

from __future__ import annotations

import warnings

import optuna

from lrcore.search._storage import quiet


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the importance of each of Optuna's parameters."""
    with quiet():
        # It warns where trials are so few, or so alike, that all are among the best.
        warnings.simplefilter("ignore", UserWarning)
        return optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
