r"""Pictures of schedules, runs and optimizers' paths: the extra `plot`, matplotlib.

Each function returns a `matplotlib.figure.Figure`, which notebooks show, and writes it
into a .png, .pdf or .svg where a path is given.  Colours are those that colour-blind
readers tell apart.  Without matplotlib each raises ImportError with what to install.

Each is drawn in the room of what it shows, by a module with an underscore; public is
the function here.

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
from lrcore.monitor._dashboard import dashboard
from lrcore.optimizers._surface import ravine, ravine_grad, surface
from lrcore.schedules._picture import schedules

__all__ = ["dashboard", "range_test", "ravine", "ravine_grad", "schedules", "surface"]
