"""The states of an optimizer of lrcore.torch: seen, saved and loaded as torch does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch

import lrcore
from lrcore.optimizers.base.keywords import Hyper
from lrcore.torch._backward import InBackward
from lrcore.torch._built import Built


class Stateful(torch.optim.Optimizer):
    """The part of `Optimizer` that has states, and what it needs of the rest."""

    param_groups: list[dict[str, Any]]
    _built: Built | None
    _in_backward: InBackward | None
    _master: bool

    @abstractmethod
    def _build(
        self,
        groups: list[dict[str, Any]],
        state: Mapping[Any, Any],
        t: int | None = None,
    ) -> Built:
        """Return an optimizer of lrcore for these groups, with these states."""

    @abstractmethod
    def _options_now(self, core: lrcore.Optimizer) -> Hyper:
        """Return the options of the whole optimizer."""

    @property
    def state(self) -> Any:
        """The states of each parameter by torch's names, in the memory of the step."""
        held = self.__dict__["state"]
        if self.__dict__.get("_built") is not None:
            self._built.states.fill(held)  # type: ignore[union-attr]
        return held

    @state.setter
    def state(self, value: Any) -> None:
        self.__dict__["state"] = value

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the ``state_dict()`` of this class, or of torch's of its name.

        Raises
        ------
        TypeError, ValueError
            It does not fit; nothing has been changed.
        """
        given = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, given)
            given = given if changed is None else changed
        saved = given["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"param_groups: expected {len(self.param_groups)}, found {len(saved)}: "
                "a different number of parameter groups"
            )
        groups: list[dict[str, Any]] = []
        state: dict[Any, Any] = {}
        params: dict[Any, Any] = {}
        for k, (own, new) in enumerate(zip(self.param_groups, saved, strict=True)):
            if len(own["params"]) != len(new["params"]):
                raise ValueError(
                    f"param_groups[{k}]: expected {len(own['params'])} params, found "
                    f"{len(new['params'])}, which doesn't match the size of "
                    "optimizer's group"
                )
            params |= dict(zip(new["params"], own["params"], strict=True))
            names = {n: own[n] for n in ("param_names",) if n in own}
            values = {n: deepcopy(v) for n, v in new.items() if n != "params"}
            missing = {n: v for n, v in self.defaults.items() if n not in values}
            groups.append({**missing, **names, **values, "params": own["params"]})
        for key, entry in given["state"].items():
            state[params.get(key, key)] = entry
        built = self._build(groups, state)
        mine = set(built.memory.flat)
        others = {key: v for key, v in state.items() if key not in mine}
        self.param_groups = groups
        self.state = type(self.state)(dict, deepcopy(others))
        self._built = built
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        assert self._built is not None
        return {
            **super().__getstate__(),
            "_options": self._options_now(self._built.core),
            "_master": self._master,
            "_t": self._built.core.t,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._built = self._in_backward = None
        super().__setstate__(state)
        held, t = self.__dict__["state"], self.__dict__.pop("_t")
        self.__dict__["state"] = type(held)(dict)
        self._built = self._build(self.param_groups, held, t)
