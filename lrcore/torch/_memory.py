"""The arrays through which tensors are stepped: of their memory, or copies."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import increment_version

from lrcore._core import Exchange
from lrcore._shared.types import Array

MASTER = "master"
"""The name of a master in the state of its parameter."""

_REAL = (torch.float32, torch.float64)
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Copy(NamedTuple):
    """A parameter that is stepped through an array of other memory.

    group, place : of the parameter.
    array : contiguous, on the CPU; of a master in float32.
    master : whether the array is more exact than the parameter.
    """

    group: int
    place: int
    param: torch.Tensor
    array: Array
    master: bool

    def read(self) -> None:
        """Give the array the parameter; a master where that is not it, rounded.

        The numbers are compared, since ``p.data.clamp_()`` and ``p.data = x`` leave the
        version of p as it was.  NumPy compares bits in less time than torch numbers.
        """
        own, p = torch.from_numpy(self.array), self.param.detach().cpu()
        if not self.master:
            own.copy_(p)
            return
        bits = _BITS[p.itemsize]
        changed = own.to(p.dtype).view(bits).numpy() != p.view(bits).numpy()
        if changed.any():
            own.copy_(torch.where(torch.as_tensor(changed), p.to(own.dtype), own))

    def write(self) -> None:
        """Give the parameter the numbers of the array."""
        with torch.no_grad():
            self.param.copy_(torch.from_numpy(self.array))


class Memory:
    """The arrays of all params, by group, and the exchange that finds gradients.

    arrays : for each group a list, in the order of its params.
    copies : the params whose arrays have memory of their own; copy_of : by parameter.
    flat, flat_arrays : all params, and their arrays; places : the place of each.
    """

    def __init__(
        self, groups: Sequence[dict[str, Any]], master: bool, warned: bool
    ) -> None:
        params = [list(group["params"]) for group in groups]
        self.copies: list[Copy] = []
        self.arrays: list[list[Array]] = []
        for k, group in enumerate(groups):
            names = group.get("param_names", range(len(params[k])))
            self.arrays.append(
                [
                    self._array(k, i, p, f"params[{k}]['params'][{name!r}]", master)
                    for i, (name, p) in enumerate(zip(names, params[k], strict=True))
                ]
            )
        own: list[list[Array | None]] = [list(arrays) for arrays in self.arrays]
        for copy in self.copies:
            own[copy.group][copy.place] = None
        self.exchange = Exchange(torch.Tensor, list(params), own)
        self.flat = [p for each in params for p in each]
        self.flat_arrays = [array for each in self.arrays for array in each]
        self.places = {p: i for i, p in enumerate(self.flat)}
        self.copy_of = {copy.param: copy for copy in self.copies}
        self.singles = [
            (k, i, p)
            for k, each in enumerate(params)
            for i, p in enumerate(each)
            if p.numel() == 1
        ]
        strided = [copy for copy in self.copies if not copy.master]
        if strided and not warned:
            warnings.warn(
                f"params: {len(strided)} are not contiguous; each step copies them to "
                "a contiguous array and back.  To save that, make them so before: "
                "p.data = p.data.contiguous()",
                stacklevel=4,
            )
        self.warned = warned or bool(strided)

    def _array(self, k: int, i: int, p: torch.Tensor, name: str, master: bool) -> Array:
        """Return the array through which a parameter is stepped."""
        if p.layout is not torch.strided or p.is_complex() or not p.is_floating_point():
            found = f"{p.dtype} of layout {p.layout}"
            raise TypeError(f"{name}: expected a dense real tensor, found {found}")
        tensor = p.detach()
        fits = p.dtype in _REAL and p.device.type == "cpu"
        if not (fits or master):
            raise TypeError(
                f"{name}: expected a CPU tensor of float32 or float64, found {p.dtype} "
                f"on {p.device}; master=True steps it through a float32 copy on the CPU"
            )
        if fits and _is_contiguous(tensor):
            shared: Array = tensor.numpy()
            return shared
        dtype = p.dtype if p.dtype is torch.float64 else torch.float32
        own = torch.empty(p.shape, dtype=dtype)
        own.copy_(tensor)
        copy = Copy(k, i, p, own.numpy(), not fits)
        self.copies.append(copy)
        return copy.array

    def grads(self, groups: Sequence[dict[str, Any]]) -> list[list[Any]] | None:
        """Return the gradients as arrays, by group; None if the params have moved."""
        found = self.exchange.grads([group["params"] for group in groups])
        if found is None:
            return None
        for k, i in self.exchange.others:
            found[k][i] = dense(found[k][i], self.arrays[k][i], f"params[{k}][{i}]")
        for k, i, p in self.singles:  # of others, a negated view is not contiguous
            if p.grad is not None and p.grad.is_neg():
                found[k][i] = dense(p.grad, self.arrays[k][i], f"params[{k}][{i}]")
        return found

    def has_moved(self, groups: Sequence[dict[str, Any]]) -> bool:
        """Return whether a parameter was replaced, or has got other memory."""
        return self.exchange.grads([group["params"] for group in groups]) is None

    def load_masters(self, state: Mapping[Any, Any]) -> None:
        """Give masters the numbers of a saved state, where it has them."""
        for copy in self.copies:
            saved = state.get(copy.param, {}).get(MASTER)
            if saved is None or not copy.master:
                continue
            if saved.shape != copy.param.shape:
                raise ValueError(
                    f"state of params[{copy.group}][{copy.place}]: {MASTER}: expected "
                    f"shape {tuple(copy.param.shape)}, found {tuple(saved.shape)}"
                )
            torch.from_numpy(copy.array).copy_(saved)

    def masters(self) -> dict[torch.Tensor, torch.Tensor]:
        """Return the master of each parameter that has one."""
        return {c.param: torch.from_numpy(c.array) for c in self.copies if c.master}

    def changed(self, params: Sequence[torch.Tensor] | None = None) -> None:
        """Tell torch that params have changed (None: all); write copies into theirs."""
        params = self.flat if params is None else params
        increment_version(params)
        if self.copies:
            changed = set(params)
            for copy in self.copies:
                if copy.param in changed:
                    copy.write()

    def stepped(self) -> list[torch.Tensor]:
        """Return the params that have a gradient."""
        if not self.exchange.some_absent:
            return self.flat
        return [p for p in self.flat if p.grad is not None]


def dense(grad: Any, like: Array, name: str) -> Array:
    """Return a gradient as an array of the dtype of another one.

    Raises
    ------
    RuntimeError
        It is sparse, or its storage has been freed.
    """
    if grad.layout is not torch.strided:
        raise RuntimeError(
            f"{name}: found a sparse gradient ({grad.layout}), and every optimizer of "
            "lrcore takes dense ones: set p.grad = p.grad.to_dense(), or make the "
            "layer without sparse=True"
        )
    # NumPy would make new memory for it.  A subclass may keep its numbers elsewhere.
    if type(grad) is torch.Tensor and grad.numel() and not grad.data_ptr():
        raise RuntimeError(
            f"{name}: found a gradient of {grad.numel()} elements without memory, on "
            f"{grad.device}: keep its storage until the step"
        )
    dtype = torch.float32 if like.dtype.itemsize == 4 else torch.float64
    found: Array = grad.detach().to("cpu", dtype).resolve_neg().numpy()
    return found


def _is_contiguous(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is contiguous in the order of C or Fortran."""
    turned = tensor.permute(tuple(range(tensor.ndim))[::-1])
    return bool(tensor.is_contiguous() or turned.is_contiguous())
