"""lrcore: the learning-rate core for NumPy."""

from lrcore import kernels, optimizers, reference, schedules
from lrcore._config import (
    __version__,
    get_isa,
    get_num_threads,
    heed_environment,
    set_isa,
    set_num_threads,
    show_config,
)
from lrcore.optimizers import *

__all__ = [
    "__version__",
    "get_isa",
    "get_num_threads",
    "kernels",
    "optimizers",
    "reference",
    "schedules",
    "set_isa",
    "set_num_threads",
    "show_config",
]
__all__ += optimizers.__all__

heed_environment()
del heed_environment
