"""The classifier and the regressor."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn import neural_network

from lrcore.sklearn._arguments import constraints, extended
from lrcore.sklearn._hooks import require_hooks
from lrcore.sklearn._trained import Trained

require_hooks(neural_network.MLPClassifier)
require_hooks(neural_network.MLPRegressor)


class MLPClassifier(Trained, neural_network.MLPClassifier):
    """scikit-learn's `MLPClassifier` with any optimizer and schedule of lrcore.

    It is a subclass of ``sklearn.neural_network.MLPClassifier``: all arguments,
    attributes and methods are the same.  With the same seed it makes the same batches
    and steps as scikit-learn's, and the losses differ by rounding only.

    Parameters
    ----------
    hidden_layer_sizes, activation, ... :
        scikit-learn's, with its defaults.
    learning_rate_init : float, schedule or None, default=0.001
        A schedule is called with the number of batches trained on before.  None: the
        default of the optimizer's class, which optimizers that find their rate
        (`Prodigy`, `DoG`) need.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        As in scikit-learn, which ignores it with its Adam.  Here every `optimizer`
        heeds it, and the groups keep the ratios of their rates.  "adaptive" also
        reduces a schedule; "invscaling" takes numbers only.
    optimizer : str or class, default=None
        An optimizer of lrcore: its name in upper or lower case, or its class.  None:
        that of `solver`, with `beta_1`, `momentum` and the like, which `optimizer`
        ignores.
    optimizer_options : dict, default=None
        Further arguments of the optimizer, such as ``{"weight_decay": 0.01,
        "clip_norm": 1.0}``.  The params have the names ``coefs.0``, ``intercepts.0``
        and so on, as in ``{"groups": {"intercepts.*": {"weight_decay": 0.0}}}``.  With
        an average of the params (`ema_decay`, Schedule-Free, `ASGD`), the estimator
        predicts with it.

    Attributes
    ----------
    optimizer_ : lrcore.Optimizer
        The optimizer of the last `fit`, with which `partial_fit` goes on: `lr`, `t`,
        `report`.  A fit with ``solver="lbfgs"``, which is scikit-learn's, makes none.

    All others are scikit-learn's.

    Raises
    ------
    TypeError, ValueError
        In `fit`: an argument of the optimizer is wrong; nothing has been changed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from lrcore.schedules import Cosine
    >>> from lrcore.sklearn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> steps = 20 * 5  # 20 epochs of 5 batches: 899 samples, 200 in a batch
    >>> clf = MLPClassifier(
    ...     optimizer="AdamW",
    ...     learning_rate_init=Cosine(0.01, total=steps),
    ...     n_iter_no_change=2,  # ends the run when the rate is 0
    ...     random_state=0,
    ... )
    >>> clf.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = constraints(
        neural_network.MLPClassifier._parameter_constraints
    )
    __init__ = extended(neural_network.MLPClassifier.__init__)


class MLPRegressor(Trained, neural_network.MLPRegressor):
    """scikit-learn's `MLPRegressor` with any optimizer and schedule of lrcore.

    It is a subclass of ``sklearn.neural_network.MLPRegressor``, with the further
    arguments and attributes of `MLPClassifier`.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, ... :
        scikit-learn's, with its defaults.
    learning_rate_init, learning_rate, optimizer, optimizer_options :
        As of `MLPClassifier`.

    Attributes
    ----------
    optimizer_ : lrcore.Optimizer
        As of `MLPClassifier`.

    All others are scikit-learn's.

    Raises
    ------
    TypeError, ValueError
        In `fit`: an argument of the optimizer is wrong; nothing has been changed.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from lrcore.sklearn import MLPRegressor
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> reg = MLPRegressor(
    ...     optimizer="Lion", learning_rate_init=0.01, max_iter=500, random_state=0
    ... )
    >>> reg.fit(X, y / 100).score(X, y / 100) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = constraints(
        neural_network.MLPRegressor._parameter_constraints
    )
    __init__ = extended(neural_network.MLPRegressor.__init__)
