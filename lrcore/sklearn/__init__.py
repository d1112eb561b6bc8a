"""scikit-learn's multi-layer perceptrons, trained by the optimizers of lrcore.

`MLPClassifier` and `MLPRegressor` are subclasses of those of the same name in
``sklearn.neural_network``, and take every optimizer and schedule of lrcore.  Needs
scikit-learn 1.7 or newer: ``pip install "lrcore[sklearn]"``.

Modules with an underscore are the room's own: `_trained` replaces scikit-learn's loop
over batches, and `_hooks` checks that scikit-learn has what is replaced; `_arguments`
has the further arguments, `_batches` makes the batches of an epoch, `_network` the loss
and the gradients of one, from `_functions`, and `_optimizer` makes the optimizer.
"""

try:
    import sklearn as _sklearn  # noqa: F401 # imported for the ImportError
except ImportError as missing:
    raise ImportError(
        'lrcore.sklearn needs scikit-learn: pip install "lrcore[sklearn]", or '
        "scikit-learn itself"
    ) from missing

from lrcore.sklearn._estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
