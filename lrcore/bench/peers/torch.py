"""torch, and libraries that use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from inspect import signature
from itertools import count
from typing import Any, ClassVar

from lrcore.bench.peers.base import Arrays, Job, Peer


class Torch(Peer):
    """``torch.optim`` on tensors that share the arrays' memory; subclasses: paths."""

    package = "torch"
    path: ClassVar[Mapping[str, bool]]

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        self.enter()
        self.tensors = torch_params(params, grads)
        kind = self._kind(optimizer)
        takes = signature(kind).parameters
        options = {k: v for k, v in hyper.items() if k in takes}
        path = {k: v for k, v in self.path.items() if k in takes}
        self.opt = kind(self.tensors, **options, **path)
        self.step = self.opt.step

    def _kind(self, optimizer: str) -> Any:
        return getattr(import_module("torch.optim"), optimizer)

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return the reason why not: torch may lack the optimizer, or its path."""
        if reason := super().why_not(optimizer, dtype, threads):
            return reason
        kind = getattr(import_module("torch.optim"), optimizer, None)
        if kind is None:
            return f"no {optimizer}"
        chosen = [name for name, on in cls.path.items() if on]
        if missing := [
            name for name in chosen if name not in signature(kind).parameters
        ]:
            return f"no {missing[0]} path of {optimizer}"
        return None

    def enter(self) -> None:
        """Set torch's number of threads."""
        import_module("torch").set_num_threads(self.threads)


def torch_params(params: Arrays, grads: Arrays) -> list[Any]:
    """Return tensors that share the memory of params, their .grad that of grads."""
    torch: Any = import_module("torch")
    tensors = [torch.from_numpy(p).requires_grad_() for p in params]
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.from_numpy(g)
    return tensors


class TorchLoop(Torch):
    """A loop over the tensors, several operations each."""

    name = "torch loop"
    path: ClassVar = {"foreach": False}
    scratch = 2


class TorchForeach(Torch):
    """An operation at a time over all tensors."""

    name = "torch foreach"
    path: ClassVar = {"foreach": True}
    scratch = 4


class TorchFused(Torch):
    """One kernel a tensor, where torch has one for the CPU."""

    name = "torch fused"
    path: ClassVar = {"fused": True}
    also_one_thread = True


class DeepSpeed(Torch):
    """DeepSpeed's CPUAdam; its first use on a machine compiles for a minute."""

    name = "DeepSpeed CPUAdam"
    package = "deepspeed"
    optimizers = frozenset({"Adam", "AdamW"})
    dtypes = ("float32",)
    path: ClassVar = {}

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return the reason why not, or None."""
        return super(Torch, cls).why_not(optimizer, dtype, threads)

    kind: ClassVar[str] = "DeepSpeedCPUAdam"

    def _kind(self, optimizer: str) -> Any:
        # Otherwise DeepSpeed warns that there is no accelerator.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        kind = getattr(import_module("deepspeed.ops.adam"), self.kind)

        def make(
            params: Any, lr: float, betas: Any, eps: float, weight_decay: float
        ) -> Any:
            return kind(
                params, lr, betas=betas, eps=eps, weight_decay=weight_decay,
                adamw_mode=optimizer == "AdamW",
            )  # fmt: skip

        return make


class ZenFlow(DeepSpeed):
    """DeepSpeed's CPUAdam as ZenFlow steps it, where it does not overlap the step."""

    name = "ZenFlow CPUAdam"
    kind = "ZenFlowCPUAdam"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.step = partial(next, map(self.opt.step, count(1)))
