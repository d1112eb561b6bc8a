"""The five calls of a group of ranks, on shared memory, and ranks that are lost."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest
from ranks import ranks

from lrcore.distributed import Comm, RankLostError, run_ranks

RANKS = range(1, 6)


def counts(n):
    """Return how many bytes each rank sends to each: uneven, and some nothing."""
    return (7 * np.arange(n)[:, None] + 3 * np.arange(n)) % 5 * 11


def exchanged(comm, counts):
    sends, receives = counts[comm.rank], counts[:, comm.rank]
    sent = np.repeat(10 * comm.rank + np.arange(comm.size), sends).astype(np.uint8)
    received = np.zeros(receives.sum(), np.uint8)
    comm.exchange(sent, sends.tolist(), received, receives.tolist())
    wanted = np.repeat(10 * np.arange(comm.size) + comm.rank, receives)
    return received.tolist() == wanted.tolist()


@pytest.mark.parametrize("n", RANKS)
def test_each_rank_gets_what_was_sent_to_it(n):
    assert ranks(n, exchanged, counts(n)) == [True] * n


def test_more_bytes_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("lrcore.distributed._launch.ROOM", 64)
    assert ranks(3, exchanged, 50 * counts(3)) == [True] * 3
    assert ranks(3, gathered, [500, 0, 7]) == [True] * 3


def gathered(comm, counts):
    received = np.zeros(sum(counts), np.uint8)
    own = np.full(counts[comm.rank], comm.rank, np.uint8)
    comm.allgather(own, received, counts)
    return received.tolist() == np.repeat(np.arange(comm.size), counts).tolist()


@pytest.mark.parametrize("n", RANKS)
def test_all_ranks_get_what_each_has(n):
    assert ranks(n, gathered, [(5 * r) % 4 for r in range(n)]) == [True] * n


def summed(comm, each):
    numbers = each[comm.rank].copy()
    comm.sum(numbers)
    return numbers


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_sums_are_in_the_order_of_ranks(dtype):
    each = (1e17 * np.random.default_rng(1).standard_normal((4, 9))).astype(dtype)
    wanted = ((each[0] + each[1]) + each[2]) + each[3]
    for found in ranks(4, summed, each):
        assert found.tobytes() == wanted.tobytes()


def is_comm(comm):
    comm.barrier()
    return isinstance(comm, Comm), comm.rank, comm.size, repr(comm)


def test_it_is_what_the_protocol_says():
    for r, found in enumerate(ranks(2, is_comm)):
        assert found == (True, r, 2, f"<SharedMemoryComm: rank {r} of 2>")


def spawned(comm):
    comm.barrier()
    return os.getpid()


def test_ranks_can_be_spawned():
    pids = run_ranks(2, spawned)
    assert len({*pids, os.getpid()}) == 3


# --- ranks that fail ------------------------------------------------------------------


def lost(comm, where):
    """Be killed, if this is rank 1, before or after a barrier; say what others met."""
    if where == "before" and comm.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    comm.barrier()
    if where == "after" and comm.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    comm.barrier()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_rank_that_is_killed_ends_the_others(where):
    with pytest.raises(RankLostError, match="exit code -9") as caught:
        ranks(3, lost, where)
    assert caught.value.__notes__ == ["in rank 1 of 3"]


def in_a_round(comm):
    """Kill rank 1 when it has written and has not said so."""
    if comm.rank == 1:
        comm._meet = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    try:
        gathered(comm, [3, 3, 3])
    except RankLostError as error:
        return str(error)
    return ""


def test_a_rank_that_is_killed_in_a_call(tmp_path):
    def noted(comm):
        (tmp_path / str(comm.rank)).write_text(in_a_round(comm))

    with pytest.raises(RankLostError):
        ranks(3, noted)
    for r in (0, 2):
        words = rf"rank {r} of 3: rank \d has ended before this allgather"
        assert re.fullmatch(words, (tmp_path / str(r)).read_text())


def late(comm):
    if comm.rank == 1:
        time.sleep(60)
    comm.barrier()


def test_a_rank_that_hangs_is_given_up():
    with pytest.raises(RankLostError, match=r"rank 1 has not come to this barrier"):
        ranks(2, late, timeout=0.5)


def apart(comm):
    if comm.rank == 1:
        comm.barrier()
    else:
        gathered(comm, [1, 1])


def test_ranks_that_make_other_calls():
    with pytest.raises(RankLostError, match="have to make the same calls"):
        ranks(2, apart)


def raises(comm):
    if comm.rank == 1:
        raise ValueError("lr: expected a number")
    comm.barrier()


class OddError(Exception):
    def __reduce__(self):
        raise TypeError


def raises_odd(comm):
    raise OddError("odd")


BARRIERS = """
from lrcore.distributed import run_ranks

def barriers(comm):
    comm.barrier()
    if comm.rank == 0:
        print("begun", flush=True)
    while True:
        comm.barrier()

run_ranks(3, barriers, method="fork")
"""


def test_ranks_end_with_the_process_that_has_started_them():
    starter = subprocess.Popen(
        [sys.executable, "-c", BARRIERS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert starter.stdout.readline() == b"begun\n"
    starter.kill()
    # The ranks have its output, too, which ends with the last of them.
    assert starter.communicate(timeout=60) == (b"", None)


def test_the_error_of_a_rank_is_raised():
    with pytest.raises(ValueError, match="lr: expected a number") as caught:
        ranks(3, raises)
    assert caught.value.__notes__ == ["in rank 1 of 3"]
    with pytest.raises(RuntimeError, match="OddError: odd"):
        ranks(1, raises_odd)


def exits(comm, code):
    if comm.rank == 1:
        sys.exit(code)
    with pytest.raises(RankLostError, match=r"rank \d has ended before"):
        comm.barrier()
    return comm.rank


@pytest.mark.parametrize(("code", "told"), [(0, 0), (None, 0), (3, 3), ("odd", 1)])
def test_a_rank_that_exits(code, told, capfd):
    """It does not end the process that has started it, also not with the code 0."""
    with pytest.raises(RankLostError, match=f"ended with exit code {told}") as caught:
        ranks(3, exits, code)
    assert caught.value.__notes__ == ["in rank 1 of 3"]
    assert ranks(3, exits, code, survive=True) == [0, None, 2]
    assert capfd.readouterr().err == ("odd\n" * 2 if code == "odd" else "")


def test_nothing_stays_behind(monkeypatch):
    names = []

    class Noted(SharedMemory):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            names.append(self.name)

    monkeypatch.setattr("lrcore.distributed._launch.SharedMemory", Noted)
    ranks(2, is_comm)
    with pytest.raises(RankLostError):
        ranks(2, lost, "before")
    assert len(names) == 2
    for name in names:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


OPEN = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN.exists(), reason="Linux tells which files are open")
def test_no_pipe_stays_open_with_the_error_of_a_rank():
    ranks(1, is_comm)  # opens what Python keeps open
    before = len([*OPEN.iterdir()])
    with pytest.raises(ValueError, match="lr: expected a number") as caught:
        ranks(3, raises)
    assert len([*OPEN.iterdir()]) == before, caught


@pytest.mark.parametrize(
    ("given", "words"),
    [({"n": 0}, "n: "), ({"timeout": -1}, "timeout: "), ({"method": "x"}, "method: ")],
)
def test_bad_arguments(given, words):
    with pytest.raises(ValueError, match=words):
        run_ranks(**{"n": 1, "function": spawned, "method": "fork", **given})


def test_a_result_that_cannot_be_pickled():
    with pytest.raises(TypeError, match="function: expected a result that can be pick"):
        ranks(2, lambda comm: lambda: comm)


def test_a_forked_child_is_no_rank():
    def forks(comm):
        read, write = os.pipe()
        if comm.rank == 0 and os.fork() == 0:
            try:
                comm.barrier()
            except RuntimeError as error:
                os.write(write, str(error).encode())
            os._exit(0)
        comm.barrier()
        return os.read(read, 100).decode() if comm.rank == 0 else ""

    assert ranks(2, forks)[0].startswith("this process was forked from rank 0")


def test_two_threads_in_calls_of_one_comm():
    def calls(comm):
        first = threading.Thread(target=comm.barrier)
        if comm.rank == 0:
            first.start()
            while not comm._free.locked():  # it waits for the other rank
                time.sleep(1e-3)
            with pytest.raises(RuntimeError, match="let one thread use a comm"):
                comm.barrier()
            os.write(told, b".")
            first.join()
        else:
            os.read(asked, 1)
            comm.barrier()
        return "done"

    asked, told = os.pipe()
    assert ranks(2, calls) == ["done", "done"]
