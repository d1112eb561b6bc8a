"""lrcore: the learning-rate core for NumPy.

You compute gradients, and compiled C kernels update your NumPy arrays in place::

    params = {"w": np.zeros(3), "b": np.zeros(1)}
    opt = lrcore.AdamW(params, lr=1e-3)
    opt.step(grads)                          # grads: of the same structure as params

========================  =========================================================
SGD, Adam, AdamW, ...     the optimizers: ``lrcore.optimizers.available()``
Mixed                     several optimizers in one, each for the arrays of a pattern
schedules                 learning rates as functions of the step
torch, scipy, sklearn,    the optimizers for loops of torch, SciPy, scikit-learn, thinc
thinc, optax              and optax, once imported: ``import lrcore.torch``
kernels                   the updates as functions, for state that you keep yourself
jax_ffi                   the updates inside jitted functions of JAX
reference                 the same updates in plain NumPy, equal to the bit
show_config               the kernels and threads in use
set_isa, get_isa          the instruction set
set_num_threads, ...      the number of threads
set_threading, ...        what runs them: lrcore's own pool, or OpenMP
get_include, get_library  the C interface: where its header and functions are
global_norm, clip_by_...  norms and clipping of gradients, without an optimizer
LossScaler                dynamic loss scaling
Monitor                   says what is wrong with a run's learning rate
trackers                  its numbers in CSV, TensorBoard, MLflow, Weights & Biases
plots                     pictures of schedules, runs and paths
lr_find, LRSweep          find a learning rate by a short test
EarlyStopping             when to stop, and the best params
ReduceOnPlateau           a schedule that shrinks when a metric stops improving
Checkpoint                a run's files: the latest, the best; ``opt.save``
batch_size                rates for another batch size; the critical batch size
scale_lr                  a learning rate for another batch size
GradientNoiseScale        an estimate of the critical batch size
sweep                     a whole run at each of several learning rates
tune                      a search with Optuna, on one machine or several
space                     what it searches, with the usual ranges
distributed               several processes that train one set of params
LocalSGD                  several processes that train apart and meet now and then
data.digits               the digits that ``lrcore demo`` learns
========================  =========================================================
"""

import sys as _sys
from functools import partial as _partial
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from lrcore import optimizers as optimizers
from lrcore._c import get_include as get_include
from lrcore._c import get_library as get_library
from lrcore._config import get_isa as get_isa
from lrcore._config import get_num_threads as get_num_threads
from lrcore._config import get_threading as get_threading
from lrcore._config import heed_environment as _heed_environment
from lrcore._config import set_isa as set_isa
from lrcore._config import set_num_threads as set_num_threads
from lrcore._config import set_threading as set_threading
from lrcore._config import show_config as show_config
from lrcore._config import version as _version
from lrcore._shared.importing import imported as _imported
from lrcore.optimizers._families import *
from lrcore.optimizers.base import on_disk as _on_disk
from lrcore.optimizers.base.adagc import AdaGC as AdaGC
from lrcore.optimizers.base.group import ParamGroup as ParamGroup
from lrcore.optimizers.base.optimizer import Optimizer as Optimizer
from lrcore.optimizers.base.report import Report as Report
from lrcore.optimizers.base.spikes import ZClip as ZClip
from lrcore.optimizers.mixed import Mixed as Mixed

# The rooms that a step does not need, each with its names that the package has too.  It
# is imported when one of these is first asked for; type checkers and editors see the
# imports below instead.
_ROOMS: dict[str, tuple[str, ...]] = {
    "batch_size": ("GradientNoiseScale", "scale_lr"),
    "checkpoint": ("Checkpoint",),
    "data": (),
    "distributed": (),
    "finder": ("LRSweep", "RangeTest", "lr_find"),
    "jax_ffi": (),
    "kernels": (),
    "local_training": ("LocalSGD",),
    "monitor": ("Finding", "History", "Monitor"),
    "plots": (),
    "reference": (),
    "schedules": (),
    "search": ("sweep", "tune"),
    "space": (),
    "threadpool": (),
    "trackers": (),
    "training": (
        "EarlyStopping", "LossScaler", "ReduceOnPlateau", "clip_by_global_norm",
        "clip_by_value", "global_norm",
    ),
}  # fmt: skip

# Those for another package, which they import.
_ADAPTERS = ("optax", "scipy", "sklearn", "thinc", "torch")

if TYPE_CHECKING:
    from lrcore import batch_size as batch_size
    from lrcore import checkpoint as checkpoint
    from lrcore import data as data
    from lrcore import distributed as distributed
    from lrcore import finder as finder
    from lrcore import jax_ffi as jax_ffi
    from lrcore import kernels as kernels
    from lrcore import local_training as local_training
    from lrcore import monitor as monitor
    from lrcore import plots as plots
    from lrcore import reference as reference
    from lrcore import schedules as schedules
    from lrcore import search as search
    from lrcore import space as space
    from lrcore import threadpool as threadpool
    from lrcore import trackers as trackers
    from lrcore import training as training
    from lrcore.batch_size import GradientNoiseScale as GradientNoiseScale
    from lrcore.batch_size import scale_lr as scale_lr
    from lrcore.checkpoint import Checkpoint as Checkpoint
    from lrcore.finder import *
    from lrcore.local_training import LocalSGD as LocalSGD
    from lrcore.monitor import *
    from lrcore.search import sweep as sweep
    from lrcore.search import tune as tune
    from lrcore.training import *

    __version__: str
else:
    _ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

    def __getattr__(name):
        if name == "__version__":
            value = _version()
        elif name in _ROOMS:
            value = _import_module(f"lrcore.{name}")
        elif name in _ROOM_OF:
            value = getattr(_import_module(f"lrcore.{_ROOM_OF[name]}"), name)
        else:
            how = f"; import lrcore.{name} first" if name in _ADAPTERS else ""
            raise AttributeError(f"module 'lrcore' has no attribute {name!r}{how}")
        globals()[name] = value
        return value

    _NOW = {name for name in globals() if not name.startswith("_")} - {"TYPE_CHECKING"}
    __all__ = sorted(_NOW.union(_ROOMS, _ROOM_OF))

    def __dir__():
        return [*__all__, "__version__"]


_on_disk.Room.imported = _partial(_imported, "lrcore.checkpoint")
_heed_environment()
if "threadpoolctl" in _sys.modules:
    _import_module("lrcore.threadpool")
