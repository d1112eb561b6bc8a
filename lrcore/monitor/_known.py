"""What the user of a monitor knows of a run, beside its losses."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from lrcore._shared.domains import FINITE, whole
from lrcore._shared.words import shown

Kind = Literal["adversarial", "policy"]
KINDS = ("adversarial", "policy")


class Known(NamedTuple):
    """What is known of a run.

    kind : what the loss is, if it does not tell how good the params are.
    floor : the least loss that is possible.
    total : the number of steps that the run will have.
    unseen : the number of steps that it had before the first that was recorded.
    """

    kind: Kind | None = None
    floor: float | None = None
    total: int | None = None
    unseen: int = 0

    def ahead(self, step: int) -> float:
        """Return how many times as long as now the run will be."""
        return max((self.total or 0) / step, 1.0)


def known(kind: object, floor: object, total: object, sign: float) -> Known:
    """Return what is known, after a check of the arguments of `Monitor`.

    sign : -1 if the optimizer maximizes, for which the floor is a ceiling.
    """
    if kind is not None and not (isinstance(kind, str) and kind in KINDS):
        raise ValueError(
            'kind: expected "adversarial" or "policy", for a loss that does not tell '
            f"how good the params are, or None, found {shown(kind)}"
        )
    return Known(
        cast("Kind | None", kind),
        None if floor is None else sign * FINITE.check("floor", floor),
        None if total is None else whole("total", total, "an int >= 1", least=1),
    )
