"""The bench's processes: peers by themselves, neighbours, and that all of them end."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from contestants import Broken, Crashing, CrashingLater, Liar, Located

from lrcore import _core, cli
from lrcore.bench import apart, bars, report, run
from lrcore.bench.cases import Case, FailedError, Result, Run
from lrcore.bench.clock import Calls, Timing
from lrcore.bench.neighbours import Neighbours, parsed
from lrcore.bench.process import Process

pytestmark = pytest.mark.trials

CASE = Case("step", "AdamW", "float32", 1000, 1, 1, "none")
MACHINE = {
    "processor": "Abacus", "cores": 2, "isa": "beads", "python": "3",
    "versions": {"lrcore": "1"}, "environment": {"OMP_NUM_THREADS": "2"},
}  # fmt: skip
QUICK = {"rounds": 2, "seconds": 1e-3}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(apart, "PAUSE", 0.0)


def runs(pid):
    """Whether a process runs; one that has ended may still be listed, as a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def ends(pids, seconds=30.0):
    """Wait until processes have ended; return whether they have."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(map(runs, pids)):
            return True
        time.sleep(0.01)
    return False


def children():
    """Return the processes that this one has started and that run."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in listed.split() if runs(int(pid))}


# --- peers in processes ---------------------------------------------------------------


def test_each_peer_has_a_process_that_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCORE_TEST_PIDS", str(tmp_path))
    before = children()
    wanted = [Located, Broken, Crashing, CrashingLater, Liar]
    (result,) = run.run([CASE], wanted, **QUICK).results
    assert [*result.times] == ["lrcore", "located", "traffic only"]
    assert result.left_out["broken"] == "it failed: RuntimeError: out of order"
    assert "its update differs from ours, by" in result.left_out["liar"]
    for name in ("crashing", "crashing later"):
        why = result.left_out[name]
        assert re.fullmatch(r"it failed: its process \d+ ended by SIGSEGV", why)
    pids = {int(path.name) for path in tmp_path.iterdir()}
    assert len(pids) == 2  # when it was compared, and when it was timed
    assert os.getpid() not in pids
    assert not any(map(runs, pids))
    assert children() == before
    assert (result.state_bytes, result.step_bytes) == (8000, 28000)
    assert all(
        0 < t.calls.median <= t.calls.p90 <= t.calls.p99 for t in result.times.values()
    )


def test_too_few_elements_are_refused_without_a_process():
    found = run.run([CASE._replace(elements=10, arrays=100)], [], **QUICK)
    assert [*found.left_out.values()] == ["fewer elements than 100 arrays"]


def test_one_thread_takes_part_where_there_are_two():
    with apart.Apart(CASE._replace(threads=2)) as hall:
        found, _ = run._contestants(hall, [], {}, lambda *_: None)
    openmp = ["lrcore, OpenMP"] * ("openmp" in _core.threadings())
    ours = ["lrcore", "lrcore, 1 thread", *openmp]
    assert [name for name in found if name.startswith("lrcore")] == ours
    assert found["lrcore, 1 thread"][0].name == "lrcore, 1 thread"


# --- neighbours -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["spin:2", "step:1"])
def test_neighbours_work_and_end(text):
    kind, count = parsed(text)
    with Neighbours(text) as found:
        found.begin()
        pids = [process.popen.pid for process in found.processes]
        until = time.monotonic() + 30
        while any(process.processor_time() == 0 for process in found.processes):
            assert time.monotonic() < until
        beside = found.report()
    assert len(pids) == count
    assert not any(map(runs, pids))
    step = r"(torch .*, fused AdamW|lrcore's AdamW.*)"
    what = {"spin": "a loop", "step": step}[kind]
    assert re.fullmatch(
        rf"{count} x {what}, which took \d+\.\d\d of \d+ processors", beside
    )


def test_a_neighbour_that_has_ended_is_missed():
    with Neighbours("spin:2") as found:
        found.begin()
        found.check()
        process = found.processes[1]
        process.popen.kill()
        process.popen.wait()
        with pytest.raises(FailedError, match=r"should spin: .* ended by SIGKILL"):
            found.check()


def test_a_case_whose_neighbour_ends_has_no_result(monkeypatch):
    begin = Neighbours.begin

    def begin_and_end(self):
        begin(self)
        self.processes[0].popen.kill()
        self.processes[0].popen.wait()

    monkeypatch.setattr(Neighbours, "begin", begin_and_end)
    before = children()
    found = run.run([CASE._replace(neighbours="spin:1")], [], **QUICK)
    assert not found.results
    (why,) = found.left_out.values()
    assert re.match(r"a neighbour that should spin: its process \d+ ended", why)
    assert children() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_all_end_when_a_run_is_broken_off(error):
    before, seen = children(), set()

    def tick(what, rounds):
        seen.update(children() - before)
        if len(seen) == 3:  # lrcore, the limit and the neighbour
            raise error

    with pytest.raises(error):
        run.run([CASE._replace(neighbours="spin:1")], [], **QUICK, tick=tick)
    assert len(seen) == 3
    assert not any(map(runs, seen))


SCRIPT = """
import os, signal, sys
from lrcore.bench.neighbours import Neighbours
from lrcore.bench.process import Process

neighbours = Neighbours("spin:1")
neighbours.begin()
worker = Process("lrcore.bench.worker")
print(neighbours.processes[0].popen.pid, worker.popen.pid, flush=True)
os.kill(os.getpid(), int(sys.argv[1]))
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_end_when_the_bench_is_killed(number):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(int(number))],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == -number
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    assert ends(pids)


def test_control_c_reaches_the_bench_alone():
    process = Process("lrcore.bench.worker")
    try:
        group = os.getpgid(process.popen.pid)
        assert group == process.popen.pid != os.getpgid(0)
        assert os.getsid(process.popen.pid) == os.getsid(0)
    finally:
        process.close()


# --- tables ---------------------------------------------------------------------------


def test_the_table_has_the_quantiles_of_calls():
    times = {
        "lrcore": Timing(1, 1, 1, Calls(10e-6, 20e-6, 30e-6, 40e-6)),
        "other": Timing(1, 1, 1, Calls(25e-6, 20e-6, 30e-6, 4.0)),
    }
    case = CASE._replace(neighbours="spin:2")
    beside = "2 x a loop, which took 1 of 2 processors"
    result = Result(case, times, {}, 1, 1, beside=beside)
    found = Run(MACHINE, {"rounds": 9, "seconds": 0.3}, [result], {})
    lines = [" ".join(line.split()) for line in report.tables(found).splitlines()]
    assert "AdamW float32, 1,000 in 1 array, 1 thread, beside spin:2" in lines
    assert "mean median p90 p99 x our mean" in lines
    assert "lrcore 10.0 us 20.0 us 30.0 us 40.0 us 1.00" in lines
    assert "other 25.0 us 20.0 us 30.0 us 4.00 s 2.50" in lines
    assert "beside: 2 x a loop, which took 1 of 2 processors" in lines
    text = " ".join(lines)
    assert "OMP_NUM_THREADS=2; OMP_WAIT_POLICY not set;" in text
    assert "calls, or of 20 us of short calls, of 9 turns of 0.3 s." in text
    assert max(map(len, report.tables(found).splitlines())) <= 80


def test_the_command_has_neighbours(capsys):
    argv = ["bench", "--sizes", "100", "--arrays", "1", "--threads", "1"]
    argv += ["--peers", "none", "--rounds", "2", "--seconds", "1e-3"]
    assert cli.main([*argv, "--neighbours", "none,spin:1"]) == 0
    out = capsys.readouterr().out
    assert "1 thread, beside none" in out
    assert "1 thread, beside spin:1" in out


def test_bars_beside_neighbours_compare_means():
    bar, large = bars.beside("spin:1", 2)
    assert (bar.case.elements, large.case.elements) == (10**5, 10**6)
    assert bars.beside("spin:1", 1) == []
    for mean, verdict in ((114e-6, "met"), (116e-6, "MISSED")):
        times = {
            "lrcore": Timing(1e-6, 1e-6, 1e-6, Calls(mean, 1e-6, 1e-6, 1e-6)),
            "lrcore, 1 thread": Timing(1.0, 1.0, 1.0, Calls(1e-4, 1.0, 1.0, 1.0)),
        }
        run = Run(MACHINE, {"rounds": 9, "seconds": 0.3}, [
            Result(bar.case, times, {}, 1, 1)
        ], {})  # fmt: skip
        lines = [" ".join(x.split()) for x in report.bars_table(run, [bar]).split("\n")]
        (line,) = [line for line in lines if "at least" in line]
        assert line.startswith("lrcore, 1 thread 100 us 0.8")
        assert line.endswith(f"at least 0.87 {verdict}")
