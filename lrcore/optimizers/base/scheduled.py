"""The numbers of a group with schedules: only those that change are recomputed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lrcore._core import Folded
from lrcore._shared.domains import Domain
from lrcore.optimizers.base.fields import Fields
from lrcore.optimizers.base.fold import Decay
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.part import Part, rate
from lrcore.optimizers.base.values import Ask, answered, asking

Now = Callable[[int], Sequence[Folded]]
"""Maps the number of steps taken before to the numbers of each part.

Each step returns the same objects, with new numbers in them.
"""


def now(
    parts: Sequence[Part], hyper: Hyper, names: Sequence[str], fields: Fields
) -> Now:
    """Return the function for the numbers of a group's parts in a step.

    hyper : the hyper-parameters as set.  names : those that are scheduled.
    """
    if list(names) == ["lr"] and len(parts) == 1:
        return _by_lr(parts[0], hyper, fields)
    return _by_all(parts, hyper, names, fields)


def _by_all(
    parts: Sequence[Part], hyper: Hyper, names: Sequence[str], fields: Fields
) -> Now:
    """Return `now` for any hyper-parameters."""
    asks = _asks(hyper, names, fields)
    names = list(asks)
    first, *others = owns = [part.own(hyper) for part in parts]
    numbers: list[Folded] = []
    renewals: list[Callable[[], None]] = []

    def now(t: int) -> Sequence[Folded]:
        for name, ask in asks.items():
            first[name] = ask(t)
        for own in others:
            own.update({name: first[name] for name in names})
        if numbers:
            for renew in renewals:
                renew()
        else:
            new = [_kept(p, own, names) for p, own in zip(parts, owns, strict=True)]
            renewals[:] = [kept.renew for kept in new]
            numbers[:] = [kept.folded for kept in new]
        return numbers

    return now


def _asks(hyper: Hyper, names: Sequence[str], fields: Fields) -> dict[str, Ask]:
    """Return the function of the step for each value that changes.

    lr is multiplied by lr_scale, which nothing else reads.
    """
    asks = {name: asking(fields[name], hyper[name]) for name in names}
    fixed_lr, fixed_scale = hyper["lr"], hyper["lr_scale"]
    scale = asks.pop("lr_scale", None)
    lr = asks.get("lr")
    if scale is not None:
        asks["lr"] = lambda t: rate(fixed_lr if lr is None else lr(t), scale(t))
    elif lr is not None and fixed_scale != 1.0:
        asks["lr"] = lambda t: rate(lr(t), fixed_scale)
    return asks


def _by_lr(part: Part, hyper: Hyper, fields: Fields) -> Now:
    """Return `now` for the learning rate alone, the usual case, as a fast path."""
    schedule, own, field = hyper["lr"], part.own(hyper), fields["lr"]
    scale = hyper["lr_scale"]
    assert isinstance(field.domain, Domain)
    least, most = field.domain.least, field.domain.most
    kept: _Kept | None = None
    numbers: list[Folded] = []
    folded: Any = None  # None until it is known that nothing else depends on lr
    decay: Decay

    def now(t: int) -> Sequence[Folded]:
        nonlocal kept, folded, decay
        lr = schedule(t)
        if type(lr) is not float or not least <= lr <= most:
            lr = answered(field, lr, schedule)
        own["lr"] = lr = lr if scale == 1.0 else rate(lr, scale)
        if folded is not None:
            folded.lr = lr
            folded.decay = decay(lr)
        elif kept is not None:
            kept.renew()
        else:
            kept = _kept(part, own, ["lr"])
            numbers.append(kept.folded)
            if kept.decay is not None:
                folded, decay = kept.folded, kept.decay
        return numbers

    return now


class _Kept(NamedTuple):
    """The numbers of a part, and the function that updates them.

    renew : recomputes the numbers that depend on schedules.
    decay : the function for the decay, if only lr and the decay change; else None.
    """

    folded: Folded
    renew: Callable[[], None]
    decay: Decay | None


def _kept(part: Part, own: Hyper, names: Sequence[str]) -> _Kept:
    """Fold hyper-parameters; the scheduled ones are replaced in each step.

    A piece that read a scheduled value when it was made is made again in each step; one
    that reads it when it is called finds the current value.
    """
    folded, make_decay = part.fold_own(own), part.kind._decay
    again = [
        (name, make)
        for name, make in part.pieces.items()
        if not _read_by(make, own).isdisjoint(names)
    ]
    decays = not _read_by(make_decay, own).isdisjoint(names)
    _, decay = make_decay(own)

    def renew() -> None:
        nonlocal decay
        for name, make in again:
            setattr(folded, name, make(own))
        if decays:
            folded.l2, decay = make_decay(own)
        folded.lr = lr = own["lr"]
        folded.decay = decay(lr)

    return _Kept(folded, renew, None if again or decays else decay)


class _Reading(Mapping[str, Any]):
    """Hyper-parameters that record which of them were read; copying reads all."""

    def __init__(self, h: Hyper) -> None:
        self.h = h
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return self.h[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.h)

    def __len__(self) -> int:
        return len(self.h)

    def __or__(self, other: Hyper) -> Hyper:
        return {**self, **other}


def _read_by(make: Callable[[Any], Any], h: Hyper) -> set[str]:
    """Return the names of the hyper-parameters that a function reads."""
    reading = _Reading(h)
    make(reading)
    return reading.names
