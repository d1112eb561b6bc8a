"""The optimizers, in families: a class has its defaults, its rule and its coefficients."""

from lrcore.optimizers import adagrad, adam, sgd
from lrcore.optimizers._base import Optimizer
from lrcore.optimizers._hyper import ParamGroup
from lrcore.optimizers.adagrad import *
from lrcore.optimizers.adam import *
from lrcore.optimizers.sgd import *

__all__ = ["Optimizer", "ParamGroup"]
__all__ += adagrad.__all__
__all__ += adam.__all__
__all__ += sgd.__all__
