"""Steps within backward(): each parameter as soon as its gradient is complete."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.autograd.graph import increment_version

from lrcore.torch._memory import dense


class Stepped(Protocol):
    """An optimizer, as far as its hooks know it: `_optimizer.Optimizer`."""

    param_groups: list[dict[str, Any]]
    _in_backward: Any

    def _current(self) -> Any: ...
    def _rebuild(self) -> Any: ...


class InBackward:
    """Hooks that step the params of an optimizer in backward(), and drop gradients.

    `Optimizer.step_in_backward` makes it.
    """

    def __init__(self, opt: Stepped) -> None:
        self._opt = opt
        self._begun = False
        self._handles = [
            p.register_post_accumulate_grad_hook(self._take)
            for group in opt.param_groups
            for p in group["params"]
            if p.requires_grad
        ]

    def remove(self) -> None:
        """Let ``step()`` step all params again.

        Raises
        ------
        RuntimeError
            A backward() has stepped some params; ``step()`` has yet to step the others.
        """
        if self._begun:
            raise RuntimeError(
                "step_in_backward: found a backward() without its step(); call step() "
                "before remove()"
            )
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._opt._in_backward = None

    def _take(self, p: torch.Tensor) -> None:
        """Step a parameter by its gradient, and drop the gradient."""
        opt = self._opt
        built = opt._current()
        if not built.core._plan.to_come:
            if self._begun:
                raise RuntimeError(
                    "step_in_backward: found a second backward() before step(); "
                    "gradients do not add up: call step() after each"
                )
            if built.memory.grads(opt.param_groups) is None:
                built = opt._rebuild()
        self._step_one(p)
        self._begun = True

    def finish(self) -> bool:
        """Step the params that backward() has not; False: it has stepped none."""
        if not self._begun:
            return False
        built = self._opt._current()
        for i in sorted(built.core._plan.to_come):
            self._step_one(built.memory.flat[i])
        self._begun = False
        return True

    def _step_one(self, p: torch.Tensor) -> None:
        built = self._opt._current()
        i = built.memory.places[p]
        array = built.memory.flat_arrays[i]
        copy = built.memory.copy_of.get(p)
        if copy is not None:
            copy.read()
        grad = None if p.grad is None else dense(p.grad, array, f"params[{i}]")
        if built.core._plan.step_one(i, grad):
            increment_version(p)
            if copy is not None:
                copy.write()
        p.grad = None
