"""What a training loop uses beside its optimizer and a schedule.

`ReduceOnPlateau` and `EarlyStopping` follow a metric, `LossScaler` a scaled loss;
`global_norm` and the clips are of gradients by themselves.  A file each; what their
`__all__` names is public.
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
