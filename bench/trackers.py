"""Time what a tracker adds to a step of training: ``python bench/trackers.py``.

It prints the microseconds of ``Monitor.update`` in each of 2,000 steps, the closing of
the tracker included, for each tracker whose package is installed.
"""

import os
import tempfile
import time
from importlib.util import find_spec

import numpy as np

import lrcore
from lrcore import trackers

STEPS = 2000


def mlflow(uri):
    """Return a tracker of a new run of MLflow."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")
    return trackers.MLflow(mlflow.start_run())


def wandb(folder):
    """Return a tracker of a new run of Weights & Biases."""
    import wandb

    return trackers.WandB(wandb.init(mode="offline", dir=folder))


def end_run(package):
    """End the run that a tracker of a package has written to."""
    if package == "mlflow":
        import mlflow

        mlflow.end_run()
    if package == "wandb":
        import wandb

        wandb.finish()


# By name: the package that is needed, and what makes the tracker in a folder.
TRACKERS = {
    "no log": ("numpy", lambda folder: None),
    "CSV": ("numpy", lambda folder: trackers.CSV(f"{folder}/run.csv")),
    "WandB, offline": ("wandb", wandb),
    "MLflow, on local files": ("mlflow", lambda folder: mlflow(f"file:{folder}/runs")),
    "TensorBoard": ("tensorboardX", lambda folder: trackers.TensorBoard(folder)),
    "MLflow, on SQLite": ("mlflow", lambda folder: mlflow(f"sqlite:///{folder}/m.db")),
}


def microseconds(log):
    """Return the time of a step that is logged."""
    opt = lrcore.AdamW(np.ones(100), telemetry=True)
    opt.step(np.ones(100))
    monitor = lrcore.Monitor(opt, log=log)
    losses = np.linspace(2, 1, STEPS).tolist()
    start = time.perf_counter()
    for loss in losses:
        monitor.update(loss)
    if log is not None:
        log.close()
    return 1e6 * (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    os.environ |= {"WANDB_SILENT": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    for name, (package, make) in TRACKERS.items():
        if find_spec(package) is None:
            print(f"{name:<24} needs {package}")
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            print(f"{name:<24} {microseconds(make(folder)):8.1f} us", flush=True)
            end_run(package)
