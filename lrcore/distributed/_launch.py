"""Starts ranks on this host, and waits for their results."""

from __future__ import annotations

import multiprocessing as mp
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.shared_memory import SharedMemory
from typing import Any, Literal, TypeVar, cast

from lrcore._shared.domains import FLAG, POSITIVE, choice, count
from lrcore._shared.words import shown
from lrcore.distributed._protocol import RankLostError
from lrcore.distributed._shared_memory import (
    ENDED,
    ROOM,
    SIGNAL,
    TIMEOUT,
    SharedMemoryComm,
    parts,
)

Result = TypeVar("Result")

_N = count(1)
_METHOD = choice("spawn", "fork", "forkserver")


def run_ranks(
    n: int,
    function: Callable[..., Result],
    *args: Any,
    timeout: float = TIMEOUT,
    method: Literal["spawn", "fork", "forkserver"] = "spawn",
    survive: bool = False,
) -> list[Result]:
    """Call a function in n new processes on this host, the ranks; return the results.

    Parameters
    ----------
    n : int
        The number of ranks.
    function : callable
        Is called as ``function(comm, *args)`` in each, with its `SharedMemoryComm`.
        With "spawn" it has to be one that a new process can import, so a script calls
        ``run_ranks`` under ``if __name__ == "__main__":``.
    *args
        Further arguments, the same for all.
    timeout : float
        Seconds that a rank waits for the others in a call of its `Comm`, and that the
        others have to end in, once one has failed; then they are killed.  Default 60.
    method : {"spawn", "fork", "forkserver"}
        How processes start: see the module ``multiprocessing``.  "fork" takes a few
        milliseconds and any function, but other threads of this process must not hold
        locks that the function needs; those of lrcore do not.  Default "spawn".
    survive : bool
        Whether the others may go on when a rank is killed or exits, whose result is
        None then; their next call raises `RankLostError`, which they have to catch
        (`LocalSGD` with a quorum does).  Default False.

    Returns
    -------
    list
        What the function has returned in rank 0, rank 1 and so on.

    Raises
    ------
    RankLostError
        A rank was killed, or has ended without a result, as by ``sys.exit``.
    TypeError
        An argument is not valid, or what the function returns cannot be pickled.
    Exception
        What the function has raised in a rank, that of the first that failed.  A note
        says which rank it was.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> def total(comm):
    ...     numbers = np.array([float(comm.rank)])
    ...     comm.sum(numbers)
    ...     return numbers[0].item()
    >>> lrcore.distributed.run_ranks(3, total, method="fork")
    [3.0, 3.0, 3.0]
    """
    n = _N.check("n", n)
    timeout = POSITIVE.check("timeout", timeout)
    survive = FLAG.check("survive", survive)
    context = mp.get_context(_METHOD.check("method", method))
    memory = SharedMemory(create=True, size=n * (SIGNAL + 2 * ROOM))
    links = _links(context, n)
    ends = [context.Pipe(duplex=False) for _ in range(n)]
    pipes = [end for row in [*links, *ends] for end in row if end]
    forked = pipes if method == "fork" else []
    processes: list[BaseProcess] = []
    try:
        for rank in range(n):
            process = context.Process(
                target=_work,
                args=(rank, links[rank], memory, ends[rank][1], forked, timeout),
                kwargs={"function": function, "args": args},
                daemon=True,
            )
            with warnings.catch_warnings():
                # Python, and JAX if it is imported, warn of a fork where there are
                # threads, which was asked for.
                warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
                warnings.filterwarnings("ignore", ".*fork", RuntimeWarning)
                process.start()
            processes.append(process)
        _close([*(end for row in links for end in row if end), *(w for _, w in ends)])
        reads = [read for read, _ in ends]
        ended = partial(_tell_ended, memory, n) if survive else None
        return _results(reads, processes, timeout, ended)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            process.join()
            process.close()
        _close(pipes)
        memory.close()
        memory.unlink()


def _tell_ended(memory: SharedMemory, n: int, rank: int) -> None:
    parts(memory, n)[0][rank] = ENDED


def _links(context: Any, n: int) -> list[list[Connection | None]]:
    """Return a pipe between each two ranks: links[r][s] is r's end of that to s."""
    links: list[list[Connection | None]] = [[None] * n for _ in range(n)]
    for r in range(n):
        for s in range(r):
            links[r][s], links[s][r] = context.Pipe(duplex=True)
    return links


def _close(ends: list[Connection]) -> None:
    for end in ends:
        end.close()


def _work(
    rank: int,
    links: list[Connection | None],
    memory: SharedMemory,
    result: Connection,
    inherited: list[Connection],
    timeout: float,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    """Be a rank.

    inherited : ends of pipes that a fork has copied; those of others are closed, since
        a pipe tells that a rank has ended only when no other process holds its end.
    """
    own = {id(result), *map(id, links)}
    _close([end for end in inherited if id(end) not in own])
    try:
        found = function(SharedMemoryComm(rank, links, memory, timeout), *args)
    except SystemExit:  # the process ends so, and tells its exit code
        raise
    except BaseException as error:
        with suppress(OSError):
            result.send((False, _sendable(error)))
        return
    try:
        result.send((True, found))
    except Exception as error:
        words = TypeError(
            f"function: expected a result that can be pickled, found {shown(found)}: "
            f"{error}"
        )
        result.send((False, words))


def _sendable(error: BaseException) -> BaseException:
    """Return an error that a pipe takes: itself, or one with its words."""
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class _EndedError(RankLostError):
    """A rank has ended without a result."""


def _results(
    reads: list[Connection],
    processes: list[BaseProcess],
    timeout: float,
    lost: Callable[[int], None] | None,
) -> list[Any]:
    """Wait for the results of all ranks, or raise the error that says most.

    lost : is called with a rank that has ended, without which the others may go on.
    """
    found: dict[int, Any] = {}
    errors: dict[int, BaseException] = {}
    ended: dict[int, BaseException] = {}
    waiting = {read: rank for rank, read in enumerate(reads)}
    end: float | None = None
    while waiting:
        ready = wait(
            [*waiting], None if end is None else max(end - time.monotonic(), 0)
        )
        if not ready:  # after an error: they are killed
            break
        for read in ready:
            link = cast(Connection, read)  # of Windows, it has another class
            rank = waiting.pop(link)
            fine, value = _received(link, processes[rank])
            if lost is not None and isinstance(value, _EndedError):
                ended[rank] = value
                lost(rank)
                continue
            (found if fine else errors)[rank] = value
            if not fine and end is None:
                end = time.monotonic() + timeout
    if not found:
        errors |= ended
    if errors:
        rank = min(errors, key=lambda r: _LOST.get(type(errors[r]), 0))
        errors[rank].add_note(f"in rank {rank} of {len(reads)}")
        raise errors[rank]
    return [found.get(rank) for rank in range(len(reads))]


_LOST: dict[type, int] = {_EndedError: 1, RankLostError: 2}
"""How little an error says about the cause: a rank that failed leaves others behind."""


def _received(read: Connection, process: BaseProcess) -> tuple[bool, Any]:
    """Return whether a rank has succeeded, and its result or error."""
    try:
        fine, value = read.recv()
    except EOFError:
        process.join()
        code = process.exitcode
        return False, _EndedError(f"it has ended with exit code {code}, and no result")
    return fine, value
