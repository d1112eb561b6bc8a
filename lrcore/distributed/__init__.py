"""Several processes that train one set of params together.

An optimizer with ``comm=`` shares its step with the other processes: see
``docs/how_to/several_processes.md``.  `Comm` is what it needs of them, five calls.  Two
things provide it: `MPIComm`, on mpi4py, over any number of machines
(``pip install "lrcore[mpi]"``), and `SharedMemoryComm`, for the processes of one host,
which `run_ranks` starts.

Modules with an underscore are the room's own: `_words` sends small values, `_tree` is
the order in which gradients are added, `_shards` says which rank owns what, `_traffic`
moves gradients and params, `_ones` gradients that come one array at a time, `_merging`
what a step has measured, `_news` what ranks of MPI tell without being waited for, and
`_threads` shares the processors of a host.
"""

from lrcore.distributed._launch import run_ranks
from lrcore.distributed._mpi import MPIComm
from lrcore.distributed._protocol import Comm, RankLostError
from lrcore.distributed._shared_memory import SharedMemoryComm

__all__ = ["Comm", "MPIComm", "RankLostError", "SharedMemoryComm", "run_ranks"]
