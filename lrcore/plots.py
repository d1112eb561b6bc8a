r"""Pictures of schedules, runs and optimizers' paths: the extra `plot`, matplotlib.

Each function returns a `matplotlib.figure.Figure`, which notebooks show.  If a path is
given, it also writes a .png, .pdf or .svg.  Colour-blind readers can tell the colours
apart.  Without matplotlib, each raises an ImportError that says what to install.

The code that draws stands beside what it draws, in modules with an underscore; the
functions listed here are public.

Examples
--------
>>> from lrcore.schedules import Constant, Cosine
>>> figure = lrcore.plots.schedules(
...     {"cosine": Cosine(0.1, total=100).warmup(10), "constant": Constant(0.05)},
...     steps=120,
... )
>>> figure.axes[0].get_ylabel()
'learning rate'
"""

from lrcore.finder._picture import range_test
from lrcore.monitor._comparison import compare
from lrcore.monitor._dashboard import dashboard
from lrcore.optimizers._surface import ravine, ravine_grad, surface
from lrcore.schedules._picture import schedules

__all__ = [
    "compare", "dashboard", "range_test", "ravine", "ravine_grad", "schedules",
    "surface",
]  # fmt: skip
