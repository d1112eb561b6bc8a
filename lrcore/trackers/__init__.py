"""Trackers of experiments: each writes what `lrcore.Monitor` is passed.

::

    with lrcore.trackers.CSV("run.csv") as log:
        monitor = lrcore.Monitor(opt, log=log)
        ...

`CSV` needs no package; `TensorBoard`, `MLflow` and `WandB` import theirs when they are
made (``pip install "lrcore[tensorboard]"``, ``[mlflow]``, ``[wandb]``).
docs/how_to/trackers.md says what each writes.  Modules with an underscore are the
room's own: `_tracker` is what all have in common.
"""

from lrcore.trackers._csv import CSV
from lrcore.trackers._mlflow import MLflow
from lrcore.trackers._tensorboard import TensorBoard
from lrcore.trackers._tracker import Tracker
from lrcore.trackers._wandb import WandB

__all__ = ["CSV", "MLflow", "TensorBoard", "Tracker", "WandB"]
