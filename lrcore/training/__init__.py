"""Tools of a training loop beside its optimizer and schedules.

`ReduceOnPlateau` and `EarlyStopping` follow a metric; `LossScaler` scales the loss for
gradients in a narrow float; `global_norm`, `clip_by_global_norm` and `clip_by_value`
work on gradients before a step.
"""

from lrcore.training.clip import clip_by_global_norm, clip_by_value, global_norm
from lrcore.training.plateau import ReduceOnPlateau
from lrcore.training.scaler import LossScaler
from lrcore.training.stopping import EarlyStopping

__all__ = [
    "EarlyStopping",
    "LossScaler",
    "ReduceOnPlateau",
    "clip_by_global_norm",
    "clip_by_value",
    "global_norm",
]
