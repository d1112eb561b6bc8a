"""The optimizer as a config of spaCy makes it."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

from lrcore.optimizers.base.keywords import Hyper
from lrcore.thinc._optimizer import Optimizer


def configured(*, options: Hyper | None = None, **given: Any) -> Optimizer:
    """Return an :class:`Optimizer` with the arguments of a config.

    Parameters
    ----------
    **given
        The arguments of `Optimizer` by name, but `hyper`.
    options : dict, optional
        The arguments `hyper`, a section of their own.

    Raises
    ------
    TypeError, ValueError
        As for `Optimizer`.

    Examples
    --------
    >>> import lrcore.thinc
    >>> config = {"name": "SGD", "learn_rate": 0.1, "options": {"momentum": 0.9}}
    >>> optimizer = lrcore.thinc.configured(**config)
    """
    return Optimizer(**given, **(options or {}))


def _configured_signature() -> Any:
    """Return the signature that confection checks a config by."""
    own = signature(Optimizer, eval_str=True)
    *arguments, _ = own.parameters.values()
    options = Parameter("options", Parameter.KEYWORD_ONLY, default=None, annotation=Any)
    return own.replace(parameters=[*arguments, options])


configured.__signature__ = _configured_signature()  # type: ignore[attr-defined]
