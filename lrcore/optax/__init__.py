"""Every optimizer of lrcore in optax's shape, outside of jit: ``init`` and ``update``.

::

    opt = lrcore.optax.adamw(1e-3, weight_decay=1e-4)
    state = opt.init(params)
    updates, state = opt.update(grads, state, params)
    params = optax.apply_updates(params, updates)

``lrcore.optax.adamw`` is made of ``lrcore.AdamW``, and so on, with optax's names of
arguments and, where there is a ``convention="optax"``, its defaults.  Params may be JAX
or NumPy arrays.  docs/how_to/coming_from_optax.md says what changes; `lrcore.jax_ffi`
steps inside of jit.

Examples
--------
>>> import jax.numpy as jnp, lrcore.optax, optax
>>> opt = lrcore.optax.adamw(0.1, weight_decay=0.0)
>>> params = {"w": jnp.ones(3)}
>>> state = opt.init(params)
>>> grads = {"w": jnp.array([1.0, -2.0, 0.0])}
>>> updates, state = opt.update(grads, state, params)
>>> optax.apply_updates(params, updates)["w"].round(4)
Array([0.9, 1.1, 1. ], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import jax as _jax  # noqa: F401 # imported for the ImportError
    import optax as _optax  # noqa: F401 # as above
except ImportError as missing:
    raise ImportError(
        'lrcore.optax needs optax: pip install "lrcore[optax]", or optax itself'
    ) from missing

from lrcore import optimizers
from lrcore.optax._made import made
from lrcore.optax._state import State

_NAMES = {"SignSGD": "sign_sgd"}
"""optax's names that are not lrcore's in lower case."""

_KINDS = {
    _NAMES.get(name, name.lower()): each.kind
    for name, each in optimizers.available().items()
}

__all__ = ["State", *sorted(_KINDS)]


def __getattr__(name: str) -> Callable[..., Any]:
    """Make a function where it is first asked for."""
    if name not in _KINDS:
        raise AttributeError(f"module 'lrcore.optax' has no attribute {name!r}")
    function = globals()[name] = made(_KINDS[name], name)
    return function


def __dir__() -> list[str]:
    return sorted(__all__)
