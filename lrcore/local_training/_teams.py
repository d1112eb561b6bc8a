"""Teams: ranks that step one inner optimizer together (its `comm`).

A team takes the place of a single rank.  The comm of `LocalSGD` connects a rank of each
team, those with the same place in theirs; so there are as many of these groups as a
team has ranks.  They take the same outer steps: all ranks of a team have the same
params, and the teams are in the same order in each group::

                     team 0    team 1    team 2
    comm of place 0  rank 0    rank 0    rank 0
    comm of place 1  rank 1    rank 1    rank 1
"""

from __future__ import annotations

from lrcore.distributed import Comm, _words
from lrcore.local_training._quorum import Quorum
from lrcore.optimizers.base.optimizer import Optimizer


def place(inner: Optimizer) -> str | None:
    """Return a rank's place in its team, in words; None: it steps alone."""
    ranks = inner._plan.ranks
    return None if ranks is None else f"rank {ranks.comm.rank} of {ranks.comm.size}"


def check_quorum(inner: Optimizer, quorum: Quorum) -> None:
    """Refuse meetings of which the rest of a team would not know."""
    if inner._plan.ranks is not None and quorum.needed:
        raise ValueError(
            f"quorum: expected None with an inner optimizer of several ranks, which "
            f"meet at the same step, found {quorum.least}"
        )


def check(inner: Optimizer, comm: Comm) -> None:
    """Refuse groups that have the teams in other orders, or not all of them."""
    if inner._plan.ranks is None:
        return
    places = _words.of_all(inner._plan.ranks.comm, [comm.rank, comm.size])
    for rank, found in enumerate(places):
        if found != places[0]:
            one, other = (f"rank {r} of {size}" for r, size in (places[0], found))
            raise ValueError(
                "comm: expected the same rank for all that step one inner optimizer, "
                f"found {one} for rank 0 of its comm and {other} for rank {rank}; "
                "split all ranks by their rank in the inner comm"
            )
