"""The private names of scikit-learn's classes that this room replaces or calls."""

from __future__ import annotations

import sklearn

from lrcore._shared.words import listed

_HOOKS = (
    "_fit",
    "_fit_lbfgs",
    "_fit_stochastic",
    "_parameter_constraints",
    "_update_no_improvement_count",
    "_validate_params",
)

REMEDY = (
    f"lrcore.sklearn does not know scikit-learn {sklearn.__version__}: install a newer "
    "lrcore, or a release of scikit-learn that docs/how_to/coming_from_sklearn.md names"
)


def require_hooks(kind: type) -> None:
    """Check that a class of scikit-learn has all names.

    Without one, the class would train with its own optimizer, and say nothing.

    Raises
    ------
    ImportError
        A name is missing.
    """
    missing = [name for name in _HOOKS if not hasattr(kind, name)]
    if missing:
        raise ImportError(f"{kind.__name__} has no {listed(missing)}; {REMEDY}")
