"""The micro-batches of a step of several ranks: kept, compared and added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn
from zlib import crc32

from lrcore._shared.trees import Tree
from lrcore._shared.types import Array
from lrcore.distributed import Comm, RankLostError, _words
from lrcore.distributed import _tree as tree
from lrcore.distributed._heads import OtherCallError, heads
from lrcore.distributed._line import Line
from lrcore.distributed._ones import Ones
from lrcore.distributed._traffic import Traffic
from lrcore.optimizers.base import alike


class Met(NamedTuple):
    """What the ranks have told each other before a step.

    counts : the micro-batches of each.
    present : which arrays have a gradient.
    loss : the mean loss, for an optimizer that needs it.
    skips : whether a gradient that is not finite skips the step.
    """

    counts: list[int]
    present: tuple[bool, ...]
    loss: float | None
    skips: bool


class _Head(NamedTuple):
    """What a rank tells the others at the beginning of a step; all are ints.

    fine : whether it has no error.
    batches : its micro-batches.
    numbers, present : a digest of the numbers of the step, and of which arrays have a
        gradient.
    skips : whether a gradient that is not finite skips the step.
    """

    fine: int
    batches: int
    numbers: int
    present: int
    skips: int


class MicroBatches:
    """The part of `Ranks` that is about the gradients of a step.

    line : whether the ranks are in the middle of a step.
    ones : sends gradients that come one array at a time.
    traffic : sends those of all arrays.
    needs_loss : whether the optimizer needs the loss.
    told : returns the settings of the optimizer in words.
    number : of the optimizer, on rank 0: which one of those with the same comm it is.
    firsts : the place of the first micro-batch of each rank.
    """

    comm: Comm
    line: Line
    tree: Tree
    ones: Ones
    traffic: Traffic
    needs_loss: bool
    told: Callable[[], Mapping[str, str]]
    number: int
    firsts: Sequence[int]
    _blocks: tuple[list[int], list[list[int]]] | None = None

    def keep(self, grads: Sequence[Array | None], loss: float | None) -> None:
        """Keep the gradients of a micro-batch, before the last of a step."""
        self.kept.add(grads)
        self.losses += [] if loss is None else [loss]

    def clear(self) -> None:
        """Forget what was kept, after the step."""
        self.kept = tree.Kept(self.firsts[self.comm.rank])
        self.losses: list[float] = []
        self.ones.clear()
        self.line.midway = False

    def meet(
        self,
        grads: Sequence[Array | None] | None,
        loss: float | None,
        error: BaseException | None,
        numbers: bytes,
        skips: bool,
    ) -> Met:
        """Compare the step with that of the other ranks.

        grads, loss : of the last micro-batch; None: there is none.
        error : why this rank cannot take the step; or None.
        numbers : all numbers of the step.
        skips : whether a gradient that is not finite skips the step.

        Raises
        ------
        ValueError, RuntimeError, MemoryError
            The ranks are not alike, or one has an error or no memory: on every rank.
        """
        try:
            self.ones.wait()
            present = self._present(grads)
            count = self.kept.count + (grads is not None)
            numbers += repr((self.number, self.ones.order)).encode()
            own = _Head(
                error is None, count, crc32(numbers), crc32(bytes(present)), skips
            )
            found = self._heads(own)
            first = next((each for each in found if each.batches), found[0])
            if any(
                not each.fine
                or each.numbers != found[0].numbers
                or (each.batches and each.present != first.present)
                for each in found
            ):
                self._refuse(error, present if count else ())
            counts = [each.batches for each in found]
            if not all(counts):  # some ranks do not know which arrays have a gradient
                of_all = _words.of_all(self.comm, present)
                present = tuple(of_all[found.index(first)])
            self._get_room(counts)
            skips = any(each.skips for each in found)
            return Met(counts, present, self._loss(loss, sum(counts)), skips)
        except (RankLostError, OtherCallError) as apart:
            if error is None:
                raise
            raise error from apart

    def _heads(self, own: _Head) -> list[_Head]:
        """Return what each rank tells; then they are in the middle of a step."""
        self.line.midway = True
        try:
            return [_Head(*each) for each in heads(self.comm, "step", own)]
        except ValueError:  # that of all ranks
            self.line.midway = False
            raise

    def _get_room(self, counts: Sequence[int]) -> None:
        """Get the memory for the step, on all ranks or on none.

        counts : the micro-batches of each rank.
        """
        n_blocks = [len(each) for each in self._begins(counts)]
        if self.ones.order:  # which has memory for gradients
            n_blocks = [0] * self.comm.size
        if not self.traffic.has_room(n_blocks):
            self.line.midway = False  # an error is told to all
            self.traffic.get_room(n_blocks)
        self.line.midway = any(counts)  # whether there is a step

    def _refuse(self, error: BaseException | None, present: Sequence[bool]) -> NoReturn:
        """Raise the error of a step that not all ranks can take.

        present : which arrays have a gradient; empty if this rank has none at all.
        """
        names = [leaf.path for leaf in self.tree.leaves]
        order = ", ".join(names[i] for i in self.ones.order)
        numbers = {
            **self.told(),
            "order of step_one": f"[{order}]",
            "optimizer of this step": f"number {self.number} of those with comm",
        }
        own = None if error is None else f"{type(error).__name__}: {error}"
        there = dict(zip(names, present, strict=False))
        found = _words.of_all(self.comm, [own, numbers, there])
        self.line.midway = False
        if error is not None:
            raise error
        alike.refuse(found)

    def _begins(self, counts: Sequence[int]) -> list[list[int]]:
        """Return where the blocks of each rank begin, for so many micro-batches."""
        if self._blocks is None or self._blocks[0] != counts:
            begins = [*map(tree.blocks, self.firsts, counts)]
            self._blocks = [*counts], begins
        return self._blocks[1]

    def tell(self, error: BaseException) -> NoReturn:
        """Raise an error that this rank has before its step, which ends that of all."""
        self.meet(None, None, error, b"", False)
        raise error

    def _loss(self, loss: float | None, count: int) -> float | None:
        """Return the mean loss, for an optimizer that needs it."""
        if not self.needs_loss or not count:
            return None
        losses = [*self.losses, *([] if loss is None else [loss])]
        places = [
            (first + k, each)
            for first, of_rank in zip(
                self.firsts, _words.of_all(self.comm, losses), strict=True
            )
            for k, each in enumerate(of_rank)
        ]
        sums = [each for _, each in places]
        for i, k in tree.additions([place for place, _ in places]):
            sums[i] += sums[k]
        return sums[0] / count if sums else None

    def reduce(
        self, met: Met, grads: Sequence[Array | None] | None
    ) -> list[Array | None]:
        """Return the own pieces of the sums of all gradients; None: there are none."""
        if self.ones.order:
            return self.ones.sums(met.present)
        sums: list[list[Sequence[Array | None]]] = [
            [block.grads] for block in self.kept.blocks
        ]
        if grads is not None:
            merged = self.kept.merged(self.kept.first + self.kept.count)
            del sums[len(sums) - len(merged) :]
            sums.append([grads, *(block.grads for block in merged)])
        return self.traffic.reduce(met.present, self._begins(met.counts), sums)

    def _present(self, grads: Sequence[Array | None] | None) -> tuple[bool, ...]:
        """Return which arrays have had a gradient on this rank since the last step."""
        had = [block.grads for block in self.kept.blocks]
        had += [] if grads is None else [[*grads]]
        n = len(self.tree.leaves)
        return tuple(any(each[i] is not None for each in had) for i in range(n))
