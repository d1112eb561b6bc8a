"""The optimizers in SciPy's `minimize`, and its L-BFGS for params of any structure.

`method` makes an optimizer a method of ``scipy.optimize.minimize``; `LBFGS` runs
SciPy's L-BFGS-B on arrays in nested containers, in place.  Needs SciPy:
``pip install "lrcore[scipy]"``.  Modules with an underscore are the room's own:
`_problem` is a function with its gradient and bounds, as SciPy passes them, and `_run`
a run of an optimizer on it.
"""

try:
    import scipy.optimize as _optimize  # noqa: F401 # imported for the ImportError
except ImportError as missing:
    raise ImportError(
        'lrcore.scipy needs SciPy: pip install "lrcore[scipy]", or scipy itself'
    ) from missing

from lrcore.scipy._lbfgs import LBFGS
from lrcore.scipy._method import Method, method

__all__ = ["LBFGS", "Method", "method"]
