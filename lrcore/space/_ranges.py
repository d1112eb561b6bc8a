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
    """
    return Real(low, high, "log")


def weight_decay(low: float = 1e-6, high: float = 0.3) -> Real:
    """Return the dimension of a weight decay, log-uniform.

    Usual values are 1e-6 to 1e-2 if it is coupled (SGD), 1e-3 to 0.3 if it is decoupled
    (AdamW).
    """
    return Real(low, high, "log")


def momentum(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a momentum: 1 - momentum is log-uniform."""
    return Real(low, high, "complement")


def betas(
    beta1: tuple[float, float] = (0.5, 0.99),
    beta2: tuple[float, float] = (0.9, 0.9999),
) -> Tuple:
    """Return the dimension of Adam's betas, a pair; each 1 - beta is log-uniform.

    Parameters
    ----------
    beta1, beta2 : two floats
        The bounds of each.
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
    """Return the dimension of an optimizer's eps, log-uniform."""
    return Real(low, high, "log")


def batch_size(low: int = 16, high: int = 512) -> Integer:
    """Return the dimension of a batch size in examples: powers of 2."""
    return Integer(low, high, "powers of 2")


def optimizer(*names: str) -> Choice:
    """Return the dimension of an optimizer, by its name in lrcore.

    Parameters
    ----------
    *names : str
        Some of ``lrcore.optimizers.available()``.  Default: "SGD", "AdamW" and "Lion".

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
    """
    return Choice(*(names or ("Constant", "Linear", "Cosine", "OneCycle")))


def warmup(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of a warm-up's length as a fraction of the run, uniform."""
    return Real(low, high)


def final_lr(low: float = 1e-4, high: float = 1.0) -> Real:
    """Return the dimension of the last learning rate over the peak's, log-uniform."""
    return Real(low, high, "log")


def decay(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a schedule's factor gamma: 1 - gamma is log-uniform."""
    return Real(low, high, "complement")


def ema_decay(low: float = 0.9, high: float = 0.9999) -> Real:
    """Return the dimension of an average's decay: 1 - decay is log-uniform."""
    return Real(low, high, "complement")


def clip_norm(low: float = 0.1, high: float = 10.0) -> Real:
    """Return the dimension of a gradient norm to clip at, log-uniform."""
    return Real(low, high, "log")


def dropout(low: float = 0.0, high: float = 0.5) -> Real:
    """Return the dimension of a dropout's probability, uniform."""
    return Real(low, high)


def label_smoothing(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of label smoothing, uniform."""
    return Real(low, high)
