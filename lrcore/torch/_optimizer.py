"""The class that all optimizers of lrcore.torch have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from operator import itemgetter
from typing import Any, ClassVar

import torch
from torch.optim import optimizer as _torch

import lrcore
from lrcore._shared.domains import FLAG
from lrcore.optimizers.base.keywords import Hyper
from lrcore.torch._arguments import Arguments, plain
from lrcore.torch._backward import InBackward
from lrcore.torch._built import Built, Rate, comparable
from lrcore.torch._memory import Memory
from lrcore.torch._saved import Stateful
from lrcore.torch._state import States, load


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that calls torch's hooks, and its profiler, if there are any."""
    with_hooks: Callable[..., Any] = torch.optim.Optimizer.profile_hook_step(step)

    @wraps(step)
    def lean(self: Optimizer, *args: Any, **given: Any) -> Any:
        wanted = (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _torch._global_optimizer_pre_hooks
            or _torch._global_optimizer_post_hooks
            or torch.autograd._profiler_enabled()
        )
        return (with_hooks if wanted else step)(self, *args, **given)

    lean.hooked = True  # type: ignore[attr-defined] # torch does not wrap it once more
    return lean


class Optimizer(Stateful):
    """The base of the classes of lrcore.torch: an optimizer of lrcore on CPU tensors.

    The tensors' memory is updated in place, by one call for all of them.  A subclass
    has the arguments of lrcore's class of the same name, and those of torch's, in the
    order of torch's.

    Parameters
    ----------
    params : iterable of tensors, of named tensors, or of groups
        As torch takes them: float32 or float64, on the CPU.
    master : bool, default False
        Step params of other types (bfloat16, float16) or on other devices through
        float32 copies on the CPU, which keep what rounding would lose.
    foreach, fused : optional
        Where torch's class has them; without effect.

    Raises
    ------
    TypeError, ValueError
        An argument or a tensor cannot be used; the message names it.

    Warns
    -----
    UserWarning
        A parameter is not contiguous, and is copied in each step.
    """

    kind: ClassVar[type[lrcore.Optimizer]]
    """The class of lrcore."""

    _arguments: ClassVar[Arguments]

    def __init__(self, params: Any, *args: Any, **given: Any) -> None:
        self._built: Built | None = None
        self._in_backward: InBackward | None = None
        self._master = FLAG.check("master", given.pop("master", False))
        defaults, self._options = self._arguments.split(args, given)
        super().__init__(params, defaults)
        self._built = self._build(self.param_groups, {})

    # --- building ------------------------------------------------------------------

    def _build(
        self,
        groups: list[dict[str, Any]],
        state: Mapping[Any, Any],
        t: int | None = None,
    ) -> Built:
        """Return an optimizer of lrcore for these groups, with these states."""
        old = self._built
        memory = Memory(groups, self._master, old is not None and old.memory.warned)
        own = []
        for k, (group, arrays) in enumerate(zip(groups, memory.arrays, strict=True)):
            hyper = self._arguments.hyper_of(f"params[{k}]: ", group)
            self.kind._fields["lr"].check(hyper["lr"])
            hyper["lr"] = Rate(group, f"param_groups[{k}]['lr']")
            own.append({"params": arrays, **hyper})
        options = self._options if old is None else self._options_now(old.core)
        core = self.kind(own, convert_grads=True, **options)
        entries = [state.get(p, {}) for p in memory.flat]
        if any(entries):
            load(core, memory.arrays, entries, t)
            memory.load_masters(state)
        names = [name for name in self._arguments.hyper if name != "lr"]
        values = itemgetter(*names)
        states = States(core, memory)
        built = Built(core, memory, states, names, values, [])
        built.seen.extend(comparable(values(group)) for group in groups)
        return built

    def _options_now(self, core: lrcore.Optimizer) -> Hyper:
        return {name: getattr(core, name) for name in self._options}

    def _rebuild(self) -> Built:
        """Go on with the groups and params as they are now."""
        assert self._built is not None
        self._built = self._build(self.param_groups, self.state, self._built.core.t)
        return self._built

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of params, as torch's optimizers do."""
        super().add_param_group(param_group)
        if self.__dict__.get("_built") is not None:
            try:
                self._rebuild()
            except BaseException:
                self.param_groups.pop()
                raise

    # --- the step ------------------------------------------------------------------

    @_hooked
    def step(
        self, closure: Callable[[], Any] | None = None, *, loss: float | None = None
    ) -> Any:
        """Update the params from their ``.grad``; those without one are left out.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and the gradients again, and returns the loss.
        loss : float, optional
            For optimizers that need it (`SPS`), if there is no closure.

        Returns
        -------
        The loss of the closure, or None.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            A gradient or a hyper-parameter cannot be used; nothing has been changed.
        """
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
            loss = None if result is None else float(plain(result))
        if self._in_backward is not None and self._in_backward.finish():
            return result
        built = self._current()
        grads = built.memory.grads(self.param_groups)
        if grads is None:  # a parameter was replaced, or has got other memory
            built = self._rebuild()
            grads = built.memory.grads(self.param_groups)
            assert grads is not None
        memory = built.memory
        for copy in memory.copies:
            copy.read()
        if built.core.step(grads, loss):
            memory.changed(memory.stepped())
        if memory.exchange.others and built.core.zero_grads:
            for k, i in memory.exchange.others:
                self.param_groups[k]["params"][i].grad.zero_()
        return result

    def _current(self) -> Built:
        """Return the optimizer of lrcore with the hyper-parameters as they are now."""
        built = self._built
        assert built is not None
        for k, group in enumerate(self.param_groups):
            now, seen = built.values(group), built.seen[k]
            if now == seen:
                continue
            own = built.core.param_groups[k]
            hyper = self._arguments.hyper_of(f"param_groups[{k}]: ", group)
            for name in built.names:
                if own[name] != hyper[name]:
                    own[name] = hyper[name]
            built.seen[k] = comparable(now)
        return built

    # --- what lrcore's optimizers can besides ----------------------------------------

    @property
    def core(self) -> lrcore.Optimizer:
        """The optimizer of lrcore that steps the tensors' memory.

        Another one takes its place when a group is added or a state is loaded.  Its
        rates are those of ``opt.param_groups``: set them there.
        """
        return self._current().core

    @property
    def report(self) -> lrcore.Report | None:
        """The last step in numbers (``telemetry=True``); None before the first."""
        return self._current().core.report

    def step_in_backward(self) -> InBackward:
        """Step each parameter in backward(), when its gradient is complete.

        The gradient is then dropped, so that the gradients of all params are never in
        memory together.  ``step()`` steps the params that backward() did not reach:
        call it after each backward().  The result is that of ``step()`` alone.

        Returns
        -------
        InBackward
            Its ``remove()`` ends this.

        Raises
        ------
        TypeError, ValueError
            In backward(): `clip_norm`, `mechanic` or the optimizer (one that finds its
            rate from sums) needs all gradients.
        """
        if self._in_backward is None:
            self._in_backward = InBackward(self)
        return self._in_backward

    @contextmanager
    def averaged(self, name: str | None = None) -> Iterator[None]:
        """Put an average into the params, and restore the params at the end.

        Parameters
        ----------
        name : {"ema", "swa", "slow"}, optional
            The average; not needed if only one is kept.
        """
        built = self._current()
        if built.memory.has_moved(self.param_groups):
            built = self._rebuild()
        for copy in built.memory.copies:
            copy.read()
        try:
            with built.core.averaged(name):
                built.memory.changed()
                yield
        finally:
            built.memory.changed()


def made(kind: type[lrcore.Optimizer]) -> type[Optimizer]:
    """Return the class of lrcore.torch for a class of lrcore."""
    arguments = Arguments(kind)
    summary = str(kind.__doc__).partition("\n")[0]
    names = {
        "__module__": "lrcore.torch",
        "__doc__": f"{summary}\n\n`lrcore.{kind.__name__}` on tensors; see there, and "
        "`lrcore.torch.Optimizer`.",
        "__signature__": arguments.signature(),
        "kind": kind,
        "_arguments": arguments,
    }
    return type(kind.__name__, (Optimizer,), names)
