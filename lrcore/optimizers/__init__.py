"""The optimizers, in families: a class has defaults, a rule and its coefficients."""

from lrcore.optimizers._base import Optimizer as Optimizer
from lrcore.optimizers._hyper import ParamGroup as ParamGroup
from lrcore.optimizers.adagrad import *
from lrcore.optimizers.adam import *
from lrcore.optimizers.nadam import *
from lrcore.optimizers.sgd import *


def available() -> dict[str, type[Optimizer]]:
    """Return the optimizers by name.

    Examples
    --------
    >>> available()["AdamW"]
    <class 'lrcore.optimizers.adam.AdamW'>
    """
    kinds = {
        name: value
        for name, value in globals().items()
        if isinstance(value, type) and issubclass(value, Optimizer)
    }
    del kinds["Optimizer"]
    return dict(sorted(kinds.items()))
