"""Search of hyper-parameters: a sweep over learning rates, and studies on Optuna.

:func:`sweep` tries a list of learning rates, and needs nothing else.  :func:`tune`
searches a space of `lrcore.space` by Optuna's samplers and pruners (the extra
`search`): in this process, in several, or on several machines.  Both return a
:class:`Search`.

Modules with an underscore are private to this package.  Those that import Optuna
(`_run`, and its imports) are imported when a study is run.
"""

from lrcore.search._result import Search
from lrcore.search._sweep import sweep
from lrcore.search._trial import Trial
from lrcore.search._tune import tune

__all__ = ["Search", "Trial", "sweep", "tune"]
