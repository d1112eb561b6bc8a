"""Every optimizer of lrcore as one of thinc's, for its loops and spaCy's.

::

    optimizer = lrcore.thinc.Optimizer("Lion", 1e-4)
    model.finish_update(optimizer)

In spaCy's config, ``@optimizers = "lrcore.v1"`` under ``[training.optimizer]`` means
:func:`configured`.  docs/how_to/coming_from_thinc.md says what changes.
"""

try:
    import thinc as _thinc  # noqa: F401 # imported for the ImportError
except ImportError as missing:
    raise ImportError(
        'lrcore.thinc needs thinc: pip install "lrcore[thinc]", or thinc itself'
    ) from missing

from lrcore.thinc._config import configured
from lrcore.thinc._optimizer import Optimizer

__all__ = ["Optimizer", "configured"]
