"""The optimizers, in families: a class has defaults, a rule and its coefficients.

A family is a module; its `__all__` names its public classes.  `base` has the code that
all share.  It is the room's own, and so are modules with an underscore.
"""

from lrcore.optimizers._available import Available as Available
from lrcore.optimizers._available import describe
from lrcore.optimizers._available import table as _table
from lrcore.optimizers._families import *
from lrcore.optimizers._families import _kinds as _kinds
from lrcore.optimizers._families import _named
from lrcore.optimizers.base.group import ParamGroup as ParamGroup
from lrcore.optimizers.base.optimizer import Optimizer as Optimizer
from lrcore.optimizers.mixed import Mixed as Mixed


def available() -> dict[str, Available]:
    """Return the optimizers by name: class, state arrays, bytes an element, options.

    Examples
    --------
    >>> adam = available()["Adam"]
    >>> adam.kind, adam.states, adam.bytes_per_element
    (<class 'lrcore.optimizers.adam.Adam'>, ('m', 'v'), 8)
    >>> adam.conventions
    ('torch', 'keras', 'optax', 'paper')
    """
    return {name: describe(kind) for name, kind in _kinds().items()}


def get(name: str) -> type[Optimizer]:
    """Return the class of an optimizer by its name, as a search or a file gives it.

    Raises
    ------
    ValueError
        There is none of this name; the message suggests one, and lists them all.

    Examples
    --------
    >>> import numpy as np
    >>> get("SGD")(np.zeros(2), lr=0.1)
    <SGD of 2 elements in 1 arrays, t=0: ParamGroup(lr=0.1)>
    """
    return _named("name", name)


def table() -> str:
    """Return a table of all optimizers, in Markdown."""
    return _table(available())
