"""Trajectories of keras.optimizers on Keras's NumPy backend."""

import keras
import numpy as np
from keras.src.backend.common import dtypes

from peers import translated

# Keras computes in float32 whatever it is given, except on TensorFlow.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

VERSIONS = {"keras": keras.__version__, "numpy": np.__version__}

NAMES = {
    "convention": None,
    "lr": "learning_rate",
    "betas": ("beta_1", "beta_2"),
    "eps": "epsilon",
    "alpha": "rho",
    "ema_decay": "ema_momentum",
}
# By lrcore's name where Keras has another, with names of its arguments.
KINDS = {
    "NAdam": ("Nadam", {}),
    "LAMB": ("Lamb", {}),
    "FTRL": (
        "Ftrl",
        {"l1": "l1_regularization_strength", "l2": "l2_regularization_strength"},
    ),
    "Adafactor": (
        "Adafactor",
        {
            "beta2_decay": "beta_2_decay",
            "eps": ("epsilon_1", "epsilon_2"),
            "d": "clip_threshold",
        },
    ),
}


def axes(row):
    # FTRL has penalties of its own.
    return [] if row.name == "FTRL" else ["weight_decay"]


def run(row, options, start, grads, lrs):
    dtype = start[0].dtype.name
    keras.config.set_floatx(dtype)  # of the lr
    name, names = KINDS.get(row.name, (row.name, {}))
    options = {**translated(row.kwargs, NAMES | names), **options}
    opt = getattr(keras.optimizers, name)(use_ema="ema_decay" in row.kwargs, **options)
    # Without the dtype, a variable is float32 whatever it is made from.
    params = [keras.Variable(p, dtype=dtype) for p in start]
    for step_grads, lr in zip(grads, lrs, strict=True):
        opt.learning_rate = lr
        opt.apply(step_grads, params)
        averages = opt._model_variables_moving_average if opt.use_ema else None
        recorded = averages if row.recorded == "ema" else params
        yield [p.numpy() for p in recorded]
