"""The usual ranges of hyper-parameters."""

from __future__ import annotations

from lrcore._shared.words import shown
from lrcore.optimizers import available
from lrcore.space._choices import Choice, Tuple
from lrcore.space._dimension import one_of
from lrcore.space._numbers import Integer, Real


def lr(low: float = 1e-5, high: float = 1.0) -> Real:
    """Return the dimension of a learning rate, log-uniform.

    The default range suits both Adam (best at about 1e-4 to 1e-2) and SGD (1e-2 to 1).
    For one optimizer, two or three decades are enough.

    Parameters
    ----------
    low, high : float
        Bounds of the rate, > 0.  Default 1e-5 to 1.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.lr(1e-4, 1e-2).points(3)
    [0.0001, 0.001, 0.01]
    """
    return Real(low, high, "log")


def weight_decay(low: float = 1e-6, high: float = 0.3) -> Real:
    """Return the dimension of a weight decay, log-uniform.

    Usual values are 1e-6 to 1e-2 if it is coupled (SGD), 1e-3 to 0.3 if it is decoupled
    (AdamW).

    Parameters
    ----------
    low, high : float
        Bounds of the weight decay, > 0.  Default 1e-6 to 0.3.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.weight_decay(1e-3, 0.1).points(3)
    [0.001, 0.01, 0.1]
    """
    return Real(low, high, "log")


def momentum(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a momentum: 1 - momentum is log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the momentum, in [0, 1).  Default 0.5 to 0.999.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.momentum(0.9, 0.99)
    Real(low=0.9, high=0.99, scale='complement')
    """
    return Real(low, high, "complement")


def betas(
    beta1: tuple[float, float] = (0.5, 0.99),
    beta2: tuple[float, float] = (0.9, 0.9999),
) -> Tuple:
    """Return the dimension of Adam's betas, a pair; each 1 - beta is log-uniform.

    Parameters
    ----------
    beta1, beta2 : two floats
        The bounds of each, in [0, 1).  Default 0.5 to 0.99, and 0.9 to 0.9999.

    Returns
    -------
    Tuple

    Raises
    ------
    TypeError, ValueError
        The bounds of one are not two numbers in [0, 1) in order; the message names it.

    Examples
    --------
    >>> lrcore.space.betas().keys("betas")
    ('1 - betas[0]', '1 - betas[1]')
    """
    parts = []
    for name, bounds in (("beta1", beta1), ("beta2", beta2)):
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise TypeError(f"{name}: expected two bounds, found {shown(bounds)}")
        try:
            parts.append(Real(*bounds, scale="complement"))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    return Tuple(*parts)


def eps(low: float = 1e-10, high: float = 1e-3) -> Real:
    """Return the dimension of an optimizer's eps, log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of eps, > 0, in units of the gradient.  Default 1e-10 to 1e-3.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.eps(1e-8, 1e-4).points(3)
    [1e-08, 1e-06, 0.0001]
    """
    return Real(low, high, "log")


def batch_size(low: int = 16, high: int = 512) -> Integer:
    """Return the dimension of a batch size in examples: powers of 2.

    Parameters
    ----------
    low, high : int
        Bounds, powers of 2 themselves.  Default 16 to 512.

    Raises
    ------
    TypeError, ValueError
        As of `Integer`.

    Examples
    --------
    >>> lrcore.space.batch_size(32, 128).points(3)
    [32, 64, 128]
    """
    return Integer(low, high, "powers of 2")


def optimizer(*names: str) -> Choice:
    """Return the dimension of an optimizer, by its name in lrcore.

    Parameters
    ----------
    *names : str
        Some of ``lrcore.optimizers.available()``.  Default: "SGD", "AdamW" and "Lion".

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        lrcore has no optimizer of this name.

    Examples
    --------
    >>> params = {"optimizer": "AdamW", "lr": 1e-3}  # as an objective gets them
    >>> opt = getattr(lrcore, params["optimizer"])(np.zeros(3), lr=params["lr"])
    """
    for name in names:
        one_of("optimizer", name, tuple(available()))
    return Choice(*(names or ("SGD", "AdamW", "Lion")))


def schedule(*names: str) -> Choice:
    """Return the dimension of a schedule, by a name that the objective looks up.

    Parameters
    ----------
    *names : str
        Default: "Constant", "Linear", "Cosine" and "OneCycle", which
        `lrcore.schedules` has.

    Returns
    -------
    Choice

    Raises
    ------
    TypeError, ValueError
        A name is given twice, or cannot be a choice.

    Examples
    --------
    >>> params = {"schedule": "Cosine", "lr": 0.1}  # as an objective gets them
    >>> lrcore.schedules.make(params["schedule"], params["lr"], total=300)(300)
    0.0
    """
    return Choice(*(names or ("Constant", "Linear", "Cosine", "OneCycle")))


def warmup(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of a warm-up's length as a fraction of the run, uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the fraction.  Default 0 to 0.2.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.warmup().points(3)
    [0.0, 0.1, 0.2]
    """
    return Real(low, high)


def final_lr(low: float = 1e-4, high: float = 1.0) -> Real:
    """Return the dimension of the last learning rate over the peak's, log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the ratio, > 0.  Default 1e-4 to 1.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.final_lr(0.01).points(3)
    [0.01, 0.1, 1.0]
    """
    return Real(low, high, "log")


def decay(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a schedule's factor gamma: 1 - gamma is log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of gamma, in [0, 1).  Default 0.5 to 0.999.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.decay(0.9, 0.99)
    Real(low=0.9, high=0.99, scale='complement')
    """
    return Real(low, high, "complement")


def ema_decay(low: float = 0.9, high: float = 0.9999) -> Real:
    """Return the dimension of an average's decay: 1 - decay is log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the decay, in [0, 1).  Default 0.9 to 0.9999.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.ema_decay(0.9, 0.99)
    Real(low=0.9, high=0.99, scale='complement')
    """
    return Real(low, high, "complement")


def clip_norm(low: float = 0.1, high: float = 10.0) -> Real:
    """Return the dimension of a gradient norm to clip at, log-uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the norm, > 0.  Default 0.1 to 10.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.clip_norm().points(3)
    [0.1, 1.0, 10.0]
    """
    return Real(low, high, "log")


def dropout(low: float = 0.0, high: float = 0.5) -> Real:
    """Return the dimension of a dropout's probability, uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the probability.  Default 0 to 0.5.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.dropout().points(3)
    [0.0, 0.25, 0.5]
    """
    return Real(low, high)


def label_smoothing(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of label smoothing, uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the share of the other classes.  Default 0 to 0.2.

    Raises
    ------
    TypeError, ValueError
        As of `Real`.

    Examples
    --------
    >>> lrcore.space.label_smoothing().points(3)
    [0.0, 0.1, 0.2]
    """
    return Real(low, high)
