"""The whole step: finite check, global norm clipped to 1, AdamW, EMA, zeroed gradients.

After a step the gradients are zeros, which would change the work of the next step: m
would decay, and become subnormal after about 900 steps.  So the gradients are fed again
before each call, or before several short ones, and this is not timed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from lrcore._shared.types import Array
from lrcore.bench.peers import Arrays, Job, Lrcore, LrcoreOneThread, Peer, Traffic
from lrcore.bench.peers.torch import TorchFused

CLIP_NORM = 1.0
EMA_DECAY = 0.999


class LrcoreClipped(Lrcore):
    """lrcore's step with the finite check and clipping by the global norm."""

    name = "lrcore, clipped"
    options: ClassVar = {"clip_norm": CLIP_NORM, "skip_nonfinite": True}
    grad_passes = 1  # for the norm
    checked = False


class LrcoreWhole(Lrcore):
    """lrcore's whole step in one call."""

    name = "lrcore, whole"
    options: ClassVar = {
        **LrcoreClipped.options, "ema_decay": EMA_DECAY, "zero_grads": True
    }  # fmt: skip
    writes_grads = True
    grad_passes = 2  # for the norm, and zeroed

    def results(self) -> Arrays:
        """Return params, averages and gradients."""
        return [*self.params, *(state["ema"] for state in self.opt.state), *self.grads]


class TrafficWhole(Traffic):
    """The limit of the whole step: the average is a state, too."""

    options: ClassVar = {"ema_decay": EMA_DECAY}


class TorchWhole(TorchFused):
    """The same by torch's documented functions, each over all tensors.

    ``clip_grad_norm_(error_if_nonfinite=True, foreach=True)``, the fused AdamW,
    ``_foreach_lerp_`` as in ``torch.optim.swa_utils``, ``_foreach_zero_`` as in
    ``zero_grad(set_to_none=False)``.
    """

    name = "torch"
    writes_grads = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        torch: Any = import_module("torch")
        self.averages = [tensor.detach().clone() for tensor in self.tensors]
        own_grads = [tensor.grad for tensor in self.tensors]
        clip_and_update = self.clip_and_update(torch, own_grads)
        begun = False

        def step() -> None:
            nonlocal begun
            clip_and_update()
            with torch.no_grad():
                if begun:
                    torch._foreach_lerp_(self.averages, self.tensors, 1 - EMA_DECAY)
                else:
                    torch._foreach_copy_(self.averages, self.tensors)
                    begun = True
                torch._foreach_zero_(own_grads)

        self.step = step

    def clip_and_update(self, torch: Any, own_grads: Any) -> Any:
        """Return the first part of the step."""
        clip, update = torch.nn.utils.clip_grad_norm_, self.opt.step

        def run() -> None:
            clip(self.tensors, CLIP_NORM, error_if_nonfinite=True, foreach=True)
            update()

        return run

    def results(self) -> Arrays:
        """Return params, averages and gradients."""
        return [*self.params, *(a.numpy() for a in self.averages), *self.grads]


class TorchScaled(TorchWhole):
    """The same with one pass less: the fused kernel divides the gradient.

    It takes the divisor (``grad_scale``) and a flag that skips the step (``found_inf``)
    as torch's GradScaler gives them.
    """

    name = "torch, scaled"

    def clip_and_update(self, torch: Any, own_grads: Any) -> Any:
        """Return the first part of the step."""
        total, norms, stack = torch.linalg.vector_norm, torch._foreach_norm, torch.stack
        opt = self.opt

        def run() -> None:
            with torch.no_grad():
                norm = total(stack(norms(own_grads)))
                opt.grad_scale = ((norm + 1e-6) / CLIP_NORM).clamp(min=1.0).float()
                opt.found_inf = norm.isfinite().logical_not().float()
            opt.step()

        return run


class LrcoreTelemetry(Lrcore):
    """lrcore's step with its report."""

    name = "lrcore, telemetry"
    options: ClassVar = {"telemetry": True}


class LrcoreNormal(Lrcore):
    """lrcore's step with gradients of 0 and a state of normal numbers."""

    name = "normal state"
    value: ClassVar[float] = 1e-4
    writes_grads = True
    checked = False

    def feed(self, grads: Arrays) -> None:
        """Fill the state, and keep the gradients at 0."""
        for g, state in zip(self.grads, self.opt.state, strict=True):
            g[...] = 0
            for a in state.values():
                self.fill(a)

    def fill(self, a: Array) -> None:
        """Fill a state array."""
        a[...] = self.value


class LrcoreSubnormal(LrcoreNormal):
    """lrcore's step with a subnormal state, as a unit without gradients gets."""

    name = "subnormal state"

    def fill(self, a: Array) -> None:
        """Fill a state array."""
        a[...] = np.finfo(a.dtype).tiny / 8


# By task, the contestants; the first is ours.  A bare step has `peers.PEERS`, too.
TASKS: dict[str, tuple[type[Peer], ...]] = {
    "step": (Lrcore,),
    "whole step": (LrcoreWhole, TorchWhole, TorchScaled),
    "clip": (Lrcore, LrcoreClipped),
    "telemetry": (Lrcore, LrcoreTelemetry),
    "subnormal": (LrcoreNormal, LrcoreSubnormal),
    "threads": (Lrcore, LrcoreOneThread),
}
