"""Several processes that train one set of params together.

An optimizer with ``comm=`` shares its step with the other processes: see
``docs/how_to/several_processes.md``.  `Comm` is what it needs of them, five calls.  Two
things provide it: `MPIComm`, on mpi4py, over any number of machines
(``pip install "lrcore[mpi]"``), and `SharedMemoryComm`, for the processes of one host,
which `run_ranks` starts.

Modules with an underscore are the room's own.

- Meetings: `_heads`, by which ranks find out that they make the same call, `_words` for
  small values, `_agreement` for work of which all ranks end or none, and `_line` for
  the thread of a group.
- A step: `_shards` says which rank owns what, `_tree` in which order gradients are
  added; `_rows` how messages are laid out.  `_traffic` moves gradients and params,
  `_ones` gradients that come one array at a time, `_merging` what a step has measured.
- MPI: `_calls` makes collectives and `_requests` waits for them, `_news` are messages
  that nobody waits for, `_communicators` knows those of mpi4py, of which `_attribute`
  keeps the ranks.
- One host: `_links` are the pipes between ranks, `_launch` starts these, and `_threads`
  shares the processors.
"""

from lrcore.distributed._launch import run_ranks
from lrcore.distributed._mpi import MPIComm
from lrcore.distributed._protocol import Comm, RankLostError
from lrcore.distributed._shared_memory import SharedMemoryComm

__all__ = ["Comm", "MPIComm", "RankLostError", "SharedMemoryComm", "run_ranks"]
