"""Every optimizer of lrcore as a ``torch.optim.Optimizer``, on CPU tensors, in place.

::

    import lrcore.torch
    opt = lrcore.torch.AdamW(model.parameters(), lr=1e-3, clip_norm=1.0)

``lrcore.torch.X`` is made of ``lrcore.X``: it has torch's arguments in torch's order,
then lrcore's, and saves the state that ``torch.optim.X`` saves.
docs/how_to/coming_from_torch.md says what changes.  It needs torch 2.13 or newer, which
``pip install 'lrcore[torch]'`` brings.
"""

try:
    import torch as _torch  # noqa: F401 # imported for the ImportError
except ImportError as missing:
    raise ImportError(
        'lrcore.torch needs torch: pip install "lrcore[torch]", or torch itself'
    ) from missing

from lrcore import optimizers
from lrcore.torch._optimizer import Optimizer, made

_KINDS = {name: each.kind for name, each in optimizers.available().items()}

__all__ = ["Optimizer", *_KINDS]


def __getattr__(name: str) -> type[Optimizer]:
    """Make a class where it is first asked for."""
    if name not in _KINDS:
        raise AttributeError(f"module 'lrcore.torch' has no attribute {name!r}")
    made_of = globals()[name] = made(_KINDS[name])
    return made_of


def __dir__() -> list[str]:
    return sorted(__all__)
