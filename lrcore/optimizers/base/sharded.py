"""An optimizer of several ranks (`comm`): each steps a shard, and they meet in a step.

A plan has all params on each rank, and the states of the own elements only.  A step of
the ranks is

1. *meet*: compare what the step is made of; an error of one rank is raised on all;
2. *reduce*: each rank gets its pieces of the sum of all gradients;
3. the step of the own elements.  In its passes the ranks *merge* what they have
   measured, by strips and in their order, so that every rank makes all numbers by
   itself, and alike: norms, clip factors, learning rates, reports;
4. *gather*: each rank gets the other pieces of the new params.

It is imported where an optimizer has a `comm`, with `lrcore.distributed`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lrcore import _core
from lrcore._shared import omp
from lrcore._shared.arrays import bare
from lrcore._shared.trees import Tree
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.distributed import Comm, _threads
from lrcore.distributed._agreement import Agreement
from lrcore.distributed._heads import heads
from lrcore.distributed._line import line_of
from lrcore.distributed._merging import Merging
from lrcore.distributed._ones import Ones
from lrcore.distributed._shards import Owned, Shards
from lrcore.distributed._traffic import Traffic
from lrcore.optimizers.base import alike
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.part import Part
from lrcore.optimizers.base.sharded_batches import MicroBatches

Units = Sequence[tuple[int, int, int] | None]


_constructed = itertools.count()
"""Numbers the optimizers of this process that have a comm."""


@contextmanager
def construction(opt: Any, comm: Comm) -> Iterator[None]:
    """Be a block that constructs an optimizer on every rank, or on none."""
    with Agreement(comm, "construct") as agreement:
        yield
        opt._plan.ranks.begin(opt, agreement)


class Ranks(MicroBatches):
    """What the plan of an optimizer asks of the other ranks.

    comm : reaches them.
    pieces : the own elements of each parameter.
    owned : their first and their end.
    merging : merges what the passes of a step have measured.
    numbers : the names of the states of each that all ranks have.
    threads : of this rank, unless `num_threads` says otherwise; 0: the usual default.
    calls : the micro-batches of a step, of all ranks.
    """

    def __init__(
        self,
        comm: Comm,
        params: Tree,
        parts: Sequence[Part],
        part_of: Sequence[int],
        units: Units,
    ) -> None:
        self.comm, self.line, self.tree = comm, line_of(comm), params
        self.needs_loss = any(part.sums_all for part in parts)
        self.numbers = [parts[k].numbers for k in part_of]
        self.params = [flat(bare(leaf.array)) for leaf in params.leaves]
        owned = [
            _owned(bare(leaf.array), parts[k], unit)
            for leaf, k, unit in zip(params.leaves, part_of, units, strict=True)
        ]
        self.shards = Shards(owned, comm.size)
        sizes, counts = [p.size for p in self.params], [*map(_units, units)]
        self.merging = Merging(comm, self.shards, sizes, counts)
        dtypes = [p.dtype for p in self.params]
        self.traffic = Traffic(comm, self.shards, dtypes)
        self.ones = Ones(comm, self.shards, dtypes)
        self.threads = 0
        n = range(len(self.params))
        self.owned = [self.shards.of(comm.rank, i) for i in n]
        self.pieces = [self._piece(i) for i in n]

    def begin(self, opt: Any, agreement: Agreement) -> None:
        """Compare a new optimizer with those of the other ranks.

        agreement : the ranks meet there, also those that have an error.

        Raises
        ------
        ValueError, RuntimeError
            They are not alike, or one has an error: on every rank, naming it.
        """
        own = weakref.ref(opt)

        def told() -> Mapping[str, str]:
            there = own()
            if there is None:
                return {}
            return {
                **alike.settings(there),
                "t": str(there.t),
                "factor of gradients by opt.scaled": repr(there._plan.more_scale),
                "norms counted by clip_norm": repr(there._plan.past_norms),
            }

        self.told = told
        self._accumulate = int(opt._options["accumulate"])
        known = alike.construction(opt)
        mine = [alike.digest(known), self._accumulate, next(_constructed)]
        digests, counts, numbers = zip(*agreement.results(mine), strict=True)
        if len({*digests}) > 1:
            alike.refuse_others(self.comm, known)
        self.firsts = np.cumsum([0, *counts[:-1]]).tolist()
        self.calls = sum(counts)
        self.number = self.ones.number = numbers[0]
        self.clear()
        self._share_threads(opt)
        opt._plan.place()

    def _share_threads(self, opt: Any) -> None:
        """Give the plan the threads of this rank."""
        threads = _threads.of_rank(self.comm, _core.num_threads())
        if _core.num_threads_set() or omp.number("OMP_NUM_THREADS"):
            return  # the user has asked for others
        self.threads = threads
        commit = _core.Commit(opt._plan.lock)
        opt._add_options(commit, opt._options)
        commit.make()

    def check_options(self, values: Hyper) -> None:
        """Check options, also those that are set later.

        Raises
        ------
        ValueError
            The micro-batches of a step change, which the other ranks would not know.
        """
        was = getattr(self, "_accumulate", values["accumulate"])
        if values["accumulate"] != was:
            raise ValueError(
                f"accumulate: expected {was}, as with comm it cannot change later, "
                f"found {shown(values['accumulate'])}; construct another optimizer, "
                "and load a checkpoint of this one"
            )

    # --- the own elements ------------------------------------------------------------

    def _piece(self, i: int) -> Array:
        """Return the own elements of a parameter; all of them in its shape."""
        p = bare(self.tree.leaves[i].array)
        begin, end = self.owned[i]
        return p if end - begin == p.size else flat(p)[begin:end]

    def gathered(self, i: int, name: str, own: Array, like: Array) -> Array:
        """Return a whole state of array i, of which each rank has the own elements.

        like : has its shape and memory order.
        """
        self.ones.wait()
        call = f"{name} of array {i} of optimizer {self.number}"
        whole = np.empty_like(like, own.dtype, subok=False)
        if self.params[i].size == 0:
            heads(self.comm, call, ())
            whole[...] = own
            return whole
        view = flat(whole)
        ranges = [self.shards.of(rank, i) for rank in range(self.comm.size)]
        if self.shards.whole[i]:
            ranges = [(0, view.size if begin < end else 0) for begin, end in ranges]
        begin, end = ranges[self.comm.rank]
        view[begin:end] = flat(own)
        # The ranges of ranks are in their order, or one of them has all.
        sent = view[begin:end].copy().view(np.uint8)
        counts = [own.itemsize * (end - begin) for begin, end in ranges]
        with self.line.whole():
            heads(self.comm, call, ())
            self.comm.allgather(sent, view.view(np.uint8), counts)
        return whole

    def check_saved(self, gathered: int = 0) -> None:
        """Refuse to save and to load between the micro-batches of a step.

        gathered : the gathered gradients of what is loaded.

        Raises
        ------
        RuntimeError
            Gradients are gathered, which belong to places of this number of ranks.
        """
        self.ones.wait()
        if self.kept.count or gathered:
            raise RuntimeError(
                f"found {self.kept.count or gathered} gathered gradients; with comm, "
                "save and load after the step that they are for, or after opt.flush()"
            )

    # --- a step ----------------------------------------------------------------------

    def gather(self, present: tuple[bool, ...]) -> None:
        """Fill in the elements of the params that other ranks have stepped."""
        self.traffic.gather(present, self.params)


def flat(array: Array) -> Array:
    """Return a view of one dimension, in the order of the memory."""
    return array.reshape(-1, order="A")


def _owned(p: Array, part: Part, units: tuple[int, int, int] | None) -> Owned:
    """Return how an array is to be owned.

    An iteration of Muon has some 4 m operations an element, where m is the shorter
    side, and there are 5; a step by elements takes as long as some 150 operations.
    """
    cost, whole = 1.0, part.factoring or part.directed or _units(units)
    if part.directed and p.ndim == 2:
        cost += min(p.shape) / 8
    return Owned(p.size, cost * p.nbytes, bool(whole))


def _units(units: tuple[int, int, int] | None) -> int:
    """Return how many units of adaptive clipping an array has in the core."""
    n = 0 if units is None else units[0] * units[2]
    return n if n > 1 else 0
