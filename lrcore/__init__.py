"""lrcore: the learning-rate core for NumPy."""

from lrcore import kernels as kernels
from lrcore import optimizers as optimizers
from lrcore import reference as reference
from lrcore import schedules as schedules
from lrcore._config import __version__ as __version__
from lrcore._config import get_isa as get_isa
from lrcore._config import get_num_threads as get_num_threads
from lrcore._config import heed_environment
from lrcore._config import set_isa as set_isa
from lrcore._config import set_num_threads as set_num_threads
from lrcore._config import show_config as show_config
from lrcore.optimizers._base import Optimizer as Optimizer
from lrcore.optimizers._hyper import ParamGroup as ParamGroup
from lrcore.optimizers.adagrad import *
from lrcore.optimizers.adam import *
from lrcore.optimizers.sgd import *

heed_environment()
del heed_environment
