"""Rolling a run back to an earlier step, at a lower learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lrcore._core import Commit, Lock
from lrcore._shared import arrays
from lrcore._shared.also import Also, same
from lrcore._shared.arrays import bare
from lrcore._shared.domains import SHARE, steps
from lrcore._shared.trees import Place
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.base import checkpoint, rates
from lrcore.optimizers.base.optimizer import Optimizer

_COUNT = steps(0)


class _Kept(NamedTuple):
    step: int
    scale: float  # by which the rates had been multiplied by then
    params: list[Array]
    also: list[Array]
    state: Any  # the optimizer's state_dict


class Rollback:
    """Keeps copies of an optimizer and its params, and sets both back to them."""

    def __init__(self, opt: Optimizer, most: int, also: Also) -> None:
        self._opt, self._left, self._scale = opt, most, 1.0
        self._also = also
        self._kept: list[_Kept] = [self._now(0)]  # at most two, the older first

    @property
    def lock(self) -> Lock:
        """That of the optimizer."""
        return self._opt._plan.lock

    @property
    def _params(self) -> list[Array]:
        return [bare(leaf.array) for leaf in self._opt._tree.leaves]

    def _now(self, step: int) -> _Kept:
        """Return copies of the params and the state as they are now, after a step."""
        return _Kept(
            step,
            self._scale,
            [p.copy("K") for p in self._params],
            self._also.copies(),
            self._opt.state_dict(),
        )

    def keep(self, step: int, commit: Commit) -> None:
        """Let a commit keep the params and the state as they are now, after a step."""
        commit.set(self, "_kept", [*self._kept[-1:], self._now(step)])

    def back(self, since: int, factor: float, commit: Commit) -> int | None:
        """Let a commit set everything back to a step before `since`.

        The rates, as they were there, are multiplied by the factor, and by those of
        earlier rollbacks that came after that step.  Return that step, or None if no
        rollback is left.

        Raises
        ------
        ValueError
            An array is read-only now.
        """
        leaves = self._opt._tree.leaves
        # add_group may have added params since a copy.
        own = [kept for kept in self._kept if len(kept.params) == len(leaves)]
        if not self._left or not own:
            return None
        # The loss of a step is measured at the params that the step before it left.
        before = [kept for kept in own if kept.step < since - 1]
        kept = before[-1] if before else own[0]
        for leaf in leaves:
            arrays.writable(Place("params", leaf), leaf.array)
        self._also.check_writable()
        scale, groups = self._scale * factor, kept.state["param_groups"]
        lower = rates.multiplied(groups, scale / kept.scale)
        state = {**kept.state, "param_groups": lower}
        checkpoint.add(
            self._opt, commit, state, strict=True, match="place", hyper="saved"
        )
        for leaf, copy in zip(leaves, kept.params, strict=True):
            commit.copy(leaf.array, copy)
        for array, copy in self._also.to_put_back(kept.also):
            commit.copy(array, copy)
        commit.set(self, "_left", self._left - 1)
        commit.set(self, "_kept", [kept])
        commit.set(self, "_scale", scale)
        return kept.step

    def state_dict(self) -> dict[str, Any]:
        """Return what `load` takes; its arrays are not copied."""
        return {
            "left": self._left,
            "scale": self._scale,
            "kept": [kept._asdict() for kept in self._kept],
        }

    def load(self, saved: Any, step: int, commit: Commit) -> None:
        """Let a commit continue where the saved rollback stopped.

        saved : None lets it begin anew, with the present state.
        step : the number of steps taken, for the present state.

        Raises
        ------
        TypeError, ValueError
            It is not from ``state_dict()``, or it belongs to other params.
        """
        if saved is None:
            commit.set(self, "_kept", [self._now(step)])
            return
        saved, wanted = _scaled(saved), self.state_dict().keys()
        if not isinstance(saved, Mapping) or saved.keys() != wanted:
            raise ValueError(f"rollback: expected {list(wanted)}, found {shown(saved)}")
        left = _COUNT.check("rollback: left", saved["left"])
        scale = SHARE.check("rollback: scale", saved["scale"])
        kept = saved["kept"]
        if not isinstance(kept, (list, tuple)) or not 1 <= len(kept) <= 2:
            raise ValueError(
                f"rollback: kept: expected a list of 1 or 2 dicts, found {shown(kept)}"
            )
        own = [self._of(f"rollback: kept[{k}]", one) for k, one in enumerate(kept)]
        commit.set(self, "_left", left)
        commit.set(self, "_scale", scale)
        commit.set(self, "_kept", own)

    def _of(self, name: str, saved: Any) -> _Kept:
        """Return what one saved dict has, checked, with copies of its arrays."""
        saved, fields = _scaled(saved), _Kept._fields
        if not isinstance(saved, Mapping) or saved.keys() != {*fields}:
            raise ValueError(f"{name}: expected {list(fields)}, found {shown(saved)}")
        same(f"{name}: params", saved["params"], self._params)
        self._also.check(f"{name}: also", saved["also"])
        return _Kept(
            _COUNT.check(f"{name}: step", saved["step"]),
            SHARE.check(f"{name}: scale", saved["scale"]),
            [bare(p).copy() for p in saved["params"]],
            [a.copy() for a in saved["also"]],
            saved["state"],
        )


def _scaled(saved: Any) -> Any:
    """Return a saved dict with the scale of its rates.

    Earlier versions halved them, and saved how often.
    """
    if not isinstance(saved, Mapping) or "halvings" not in saved or "scale" in saved:
        return saved
    halvings = _COUNT.check("rollback: halvings", saved["halvings"])
    rest = {name: value for name, value in saved.items() if name != "halvings"}
    return {**rest, "scale": 0.5**halvings}
