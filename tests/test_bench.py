"""The bench: its clock, its checks, what it tells; no time is asserted."""

import json
import re
from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure

import lrcore
from lrcore import cli
from lrcore.bench import (
    agreement,
    arrays,
    bars,
    clock,
    comparison,
    limits,
    peers,
    picture,
    report,
    run,
    saved,
    whole,
)
from lrcore.bench.cases import Case, Divider, Result, Run
from lrcore.bench.clock import Calls, Timing, Turn

CASE = Case("step", "AdamW", "float32", 1000, 1, 1)  # 1 thread: others may be at work
QUICK = {"rounds": 2, "seconds": 1e-4}
MACHINE = {
    "processor": "Abacus", "cores": 2, "isa": "beads", "system": "Linux x86_64",
    "python": "3.11.0", "versions": {"lrcore": "0.1.0", "numpy": "2.0.0"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(clock, "SETTLE", 0.0)


def told(times, case=CASE, left_out=None, **more):
    """A run of one case with these times in us: a median, or median and quartiles."""
    given = {
        name: Timing(*(x * 1e-6 for x in (t if isinstance(t, tuple) else (t, t, t))))
        for name, t in times.items()
    }
    size = 28 * case.elements
    result = Result(case, given, left_out or {}, 8 * case.elements, size, size)
    return Run(MACHINE, {"rounds": 9, "seconds": 0.03}, [result], more)


def cells(text, name):
    """The rest of the line that begins with a name."""
    line = next(x for x in text.splitlines() if x.strip().startswith(name))
    return line.strip().removeprefix(name).split()


# --- the clock ------------------------------------------------------------------------


def test_functions_take_turns_and_another_begins_each_round():
    began = []
    turns = {
        name: Turn(lambda: None, enter=lambda name=name: began.append(name))
        for name in "abc"
    }
    times = clock.interleave(turns, rounds=3, seconds=1e-4)
    assert "".join(began) == "abcbcacab"
    assert list(times) == ["a", "b", "c"]
    assert all(0 < t.low <= t.median <= t.high for t in times.values())
    for t in times.values():
        assert 0 < t.calls.median <= t.calls.p90 <= t.calls.p99


def test_gradients_are_given_anew_outside_the_time(monkeypatch):
    """By a clock that only a step and a feed move on."""
    fed, seen, now = count(), [], [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def step():
        now[0] += 1.0
        seen.append(fed_so_far[0])

    def feed():
        fed_so_far[0] = next(fed)
        now[0] += 5.0

    fed_so_far = [None]
    times = clock.interleave({"a": Turn(step, feed=feed)}, rounds=2, seconds=3.0)
    assert seen == sorted(set(seen))  # one feed a call
    assert times["a"] == (1.0, 1.0, 1.0, (1.0, 1.0, 1.0, 1.0))


def test_short_calls_are_timed_together_and_long_ones_by_themselves(monkeypatch):
    """By a clock that only a step moves on."""
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def step(seconds):
        now[0] += seconds

    short = Turn(lambda: step(clock.SAMPLE / 10)).take(19.5 * clock.SAMPLE)
    long = Turn(lambda: step(clock.SAMPLE * 2)).take(19.5 * clock.SAMPLE)
    assert short == pytest.approx([clock.SAMPLE / 10] * 20)
    assert long == pytest.approx([clock.SAMPLE * 2] * 10)


def test_quantiles():
    """Quartiles are of the turns' means; all else is of calls, whatever their turn."""
    t = Timing.of([[5, 5], [1], [2], [4], [1, 5]])
    assert t[:3] == (3, 2, 4)
    assert t.calls.mean == 3
    assert Timing.of([range(1, 129)]).calls == (64.5, 64, 116, 127)
    assert Timing.of([[7]]) == (7, 7, 7, (7, 7, 7, 7))


def test_a_turn_of_few_slow_calls_counts_like_one_of_many():
    calls = Timing.of([[1] * 97 + [9] * 3, [5]]).calls
    assert calls == ((0.97 + 0.27 + 5) / 2, 5, 5, 9)


# --- who takes part -------------------------------------------------------------------


class Absent(peers.Peer):
    name = "absent one"
    package = "no-such-package"
    module = "no_such_package"


class Honest(peers.Lrcore):
    name = "honest"


class Liar(peers.Lrcore):
    """One with another decay of v: right in the first step, and where g is constant."""

    name = "liar"
    options: ClassVar = {"betas": (0.9, 0.99)}

    def __init__(self, job):
        super().__init__(job)
        self.step = self.counted(self.step)
        self.calls = 0

    def counted(self, step):
        def call():
            self.calls += 1
            assert self.calls <= agreement.CHECKED_STEPS, "it was timed"
            step()

        return call


class Broken(peers.Peer):
    name = "broken"

    def __init__(self, job):
        raise RuntimeError("out of order")


def test_who_is_absent_broken_or_lies_is_named_and_not_timed():
    found = run.run([CASE], [Absent, Honest, Liar, Broken], **QUICK)
    (result,) = found.results
    assert result.left_out.keys() >= {"absent one", "liar", "broken"}
    assert list(result.times)[:2] == ["lrcore", "honest"]
    text = report.tables(found)
    assert "absent one (no-such-package is not installed)" in text.replace("\n ", "")
    assert "liar (its update differs from ours, by" in " ".join(text.split())
    assert "broken (it failed: RuntimeError: out of order)" in " ".join(text.split())


def pairs():
    """Peers that are installed, with what they have of the optimizers and dtypes."""
    return [
        pytest.param(kind, optimizer, dtype, id=f"{kind.name}-{optimizer}-{dtype}")
        for kind in peers.PEERS
        for optimizer in sorted(kind.optimizers or ["AdamW", "SGD", "RMSprop", "ASGD"])
        for dtype in kind.dtypes
        if kind.why_not(optimizer, dtype, peers.ALL_THREADS) is None
    ]


@pytest.mark.parametrize(("kind", "optimizer", "dtype"), pairs())
def test_peers_agree(kind, optimizer, dtype):
    threads = peers.ALL_THREADS
    assert agreement.disagreement(kind, peers.Lrcore, optimizer, dtype, threads) is None


@pytest.mark.parametrize("optimizer", [*lrcore.optimizers.available()])
def test_every_optimizer_has_a_case(optimizer):
    case = CASE._replace(optimizer=optimizer, elements=640, arrays=10)
    (result,) = run.run([case], [], **QUICK).results
    assert result.times["lrcore"].median > 0
    states = lrcore.optimizers.available()[optimizer].bytes_per_element
    moved = 12 + 2 * (0 if optimizer == "ASGD" else states)
    moved += 8 if optimizer in ("SGD", "SGDW", "LARS") else 0  # their momentum
    assert result.step_bytes == 640 * moved


def test_bytes_are_those_of_the_states():
    (result,) = run.run([CASE], [], **QUICK).results
    assert (result.state_bytes, result.step_bytes) == (8000, 28000)
    case = CASE._replace(optimizer="SPS", arrays=10)
    (result,) = run.run([case], [], **QUICK).results
    assert result.state_bytes == 16  # of two numbers, which all arrays share


def test_what_does_not_fit_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr(run, "free_memory", lambda: 1e9)
    cases = [
        CASE._replace(elements=10**8),
        CASE._replace(elements=10, arrays=100),
        CASE,
    ]
    found = run.run(cases, [], **QUICK)
    assert [result.case for result in found.results] == [CASE]
    too_large, too_few = found.left_out.values()
    assert "GB of memory, and 0.8 are to be had; name fewer with --peers" in too_large
    assert too_few == "fewer elements than 100 arrays"


def test_elements_are_divided_among_the_arrays():
    shapes = arrays.shapes(CASE._replace(elements=1003, arrays=4))
    assert sum(a * b for a, b in shapes) == 1003
    assert {a * b for a, b in shapes} == {250, 251}


def test_the_subnormal_case_is_subnormal_each_time():
    p, g = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    job = peers.Job("AdamW", peers.settings("AdamW"), [p], [g], 1)
    peer = whole.LrcoreSubnormal(job)
    for _ in range(2):
        peer.feed([g])
        tiny = np.finfo(np.float32).tiny
        assert all(0 < a.min() <= a.max() < tiny for a in peer.opt.state[0].values())
        peer.step()
    assert (p != 0).all()


# --- tables ---------------------------------------------------------------------------


def test_the_arithmetic_of_the_table():
    times = {"lrcore": (14.0, 13.0, 15.0), "other": 28.0, "traffic only": 7.0}
    found = told({**times, "traffic only, 1 thread": 14.0})
    text = report.tables(found)
    # time, half the interquartile range, ns an element, GB/s, of the limit, over ours
    assert cells(text, "lrcore") == [
        "14.0",
        "us",
        "7.1%",
        "14.0",
        "2.00",
        "50%",
        "1.00",
    ]
    assert cells(text, "other") == ["28.0", "us", "0.0%", "28.0", "1.00", "25%", "2.00"]
    assert cells(text, "traffic only")[5:] == ["0.500"]
    assert "our state takes 8 bytes an element\n" in text
    assert "a step moves 28 bytes an element; traffic alone: 7.00 us\n" in text
    assert "1 division and 1 root an element; on 1 divider: not measured" in text
    # the divider takes longer: 4 + 6 ns an element
    slow = found._replace(dividers={"float32": Divider(4e-9, 6e-9)})
    text = report.tables(slow)
    assert cells(text, "lrcore")[5] == "71%"
    assert cells(text, "other")[5] == "36%"
    assert "1 division and 1 root an element; on 1 divider: 10.0 us" in text
    assert "Abacus, 2 cores, beads; Python 3.11.0, lrcore 0.1.0, numpy 2.0.0" in (
        " ".join(text.split())
    )


def test_the_limit_is_the_slower_of_memory_and_divider():
    found = told({"lrcore": 20.0, "traffic only": 7.0})
    (result,) = found.results
    result = result._replace(step_bytes=44_000)  # the loop moves 28,000 of them
    memory = limits.limit(result, {"float32": Divider(4e-9, 6e-9)})
    assert memory.traffic == pytest.approx(11e-6)
    assert memory.divider == pytest.approx(10e-6)
    assert memory.seconds == memory.traffic
    assert (memory.bytes, memory.divisions, memory.roots) == (44, 1, 1)
    assert limits.limit(result._replace(traffic_bytes=0), {}).seconds is None
    # 65,536 elements are shared by all threads, fewer are not
    for n, threads in ((65_535, 1), (65_536, 2)):
        case = CASE._replace(elements=n, threads=2)
        each = limits.limit(result._replace(case=case), {"float32": Divider(4e-9, 0)})
        assert each.threads == threads
        assert each.divider == pytest.approx(4e-9 * n / threads)


@pytest.mark.parametrize(
    ("optimizer", "divisions", "roots"),
    [("SGD", 0, 0), ("Lion", 0, 0), ("AdamW", 1, 1), ("LAMB", 1, 1), ("Adamax", 1, 0),
     ("Adafactor", 0, 0), ("FTRL", 1, 2), ("MADGRAD", 1, 0),
     ("AdamWScheduleFree", 1, 1), ("RMSprop", 1, 1)],
)  # fmt: skip
def test_divisions_and_roots_of_a_step(optimizer, divisions, roots):
    work = limits.work(optimizer)
    assert (work["division"], work["root"]) == (divisions, roots)


@pytest.mark.parametrize("optimizer", [*lrcore.optimizers.available()])
def test_every_optimizer_has_its_work(optimizer):
    assert sum(limits.work(optimizer).values()) <= 4


def test_the_divider_is_measured():
    for dtype in ("float32", "float64"):
        assert all(0 < t < 1e-6 for t in limits.measured(dtype))


@pytest.mark.parametrize(
    ("task", "moved", "traffic"),
    [("step", 28, 28), ("clip", 28, 28), ("whole step", 44, 36), ("telemetry", 28, 28)],
)
def test_bytes_of_the_tasks(task, moved, traffic):
    """The whole step has an average, reads gradients twice, and zeroes them."""
    (result,) = run.run([CASE._replace(task=task)], [], **QUICK).results
    assert result.step_bytes == 1000 * moved
    assert result.traffic_bytes == 1000 * traffic


def test_tables_fit_80_columns():
    names = ["lrcore", "torch fused, 1 thread", "DeepSpeed CPUAdam", "traffic only"]
    big = CASE._replace(elements=10**8, arrays=1000)
    left_out = {"somebody": "it has every reason there is " * 4}
    found = told(dict.fromkeys(names, 123456.0), big, left_out)
    bar = bars.Bar(big, (bars.Asked("torch fused", 1.0), bars.Asked("nobody", 1.0)))
    for text in (
        report.tables(found), report.bars_table(found, [bar]),
        comparison.compare(found, found),
    ):  # fmt: skip
        assert max(map(len, text.splitlines())) <= 80


def test_a_run_beside_others_is_called_noisy():
    assert "vary by 50%" in report.tables(told({"lrcore": (10, 5, 15)}))
    assert "vary by" not in report.tables(told({"lrcore": (10, 9.9, 10.1)}))


def test_bars():
    found = told(
        {"lrcore": 10, "torch fused": 50, "torch fused, 1 thread": 39, "numba": 35}
    )
    asked = (
        bars.Asked("torch fused", 4), bars.Asked("numba", 3),
        bars.Asked("numba", 3, at_most=True), bars.Asked("thinc", 4),
    )  # fmt: skip
    text = report.bars_table(found, [bars.Bar(CASE, asked)])
    lines = [" ".join(line.split()) for line in text.splitlines() if " at " in line]
    assert lines[0] == "torch fused, 1 thread 39.0 us 3.90 at least 4 MISSED"
    assert lines[1] == "numba 35.0 us 3.50 at least 3 met"
    assert lines[2] == "numba 35.0 us 3.50 at most 3 MISSED"
    assert lines[3] == "thinc absent at least 4"
    assert "met: 1, missed: 2, of 4" in text
    slow = found._replace(dividers={"float32": Divider(1e-9, 3e-9)})
    text = report.bars_table(slow, [bars.Bar(CASE, asked)])
    assert cells(text, "limit: divider") == ["4.00", "us", "0.400"]


def test_the_preset_names_tasks_and_peers_that_there_are():
    known = {kind.name for kind in (*peers.PEERS, peers.Traffic)}
    known |= {kind.name for kinds in whole.TASKS.values() for kind in kinds}
    for bar in bars.bars(2):
        assert bar.case.task in whole.TASKS
        assert bar.case.optimizer in lrcore.optimizers.available()
        assert {asked.who for asked in bar.asked} <= known


# --- JSON and comparison --------------------------------------------------------------


def test_json_round_trip():
    found = told({"lrcore": (3, 2, 4), "x": 5}, CASE, {"y": "why"}, big="too big")
    assert saved.from_json(saved.to_json(found)) == found
    beside = told({"lrcore": 5}, CASE._replace(neighbours="spin:1"))
    (result,) = beside.results
    times = {"lrcore": Timing(1, 2, 3, Calls(4, 5, 6, 7))}
    found = beside._replace(
        results=[result._replace(times=times, beside="a loop")],
        dividers={"float32": Divider(1e-9, 2e-9)},
    )
    assert saved.from_json(saved.to_json(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "expected a file that `lrcore bench --json` wrote"),
        ("[]", "expected a file that `lrcore bench --json` wrote"),
        ('{"lrcore bench": 99}', "expected layout 1, found 99"),
        ('{"lrcore bench": 1}', "found one without 'machine'"),
    ],
)
def test_a_file_of_another_kind_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        saved.from_json(text)


def test_a_change_is_marked_and_noise_is_not():
    old = told({"a": (100, 98, 102), "b": (100, 98, 102), "c": 100, "d": (9, 8, 10)})
    new = told({"a": (90, 89, 91), "b": (103, 101, 105), "c": 101.9, "e": 1})
    text = comparison.compare(old, new)
    assert cells(text, "a")[-2:] == ["0.90", "faster"]
    assert cells(text, "b")[-1] == "1.03"  # within the interquartile ranges
    assert cells(text, "c")[-1] == "1.02"  # less than 2 %
    assert cells(text, "e") == ["1.00", "us"]
    assert cells(comparison.compare(new, old), "a")[-1] == "slower"
    other = new._replace(machine={**MACHINE, "processor": "Fingers"})
    assert "old: Abacus" in comparison.compare(old, other)
    assert "not in the old run" in comparison.compare(old._replace(results=[]), new)


# --- the command line -----------------------------------------------------------------

TINY = ["bench", "--sizes", "100,1e3", "--rounds", "2", "--seconds", "1e-4"]
TINY += ["--threads", "1"]


def test_the_command_writes_json_and_a_picture(tmp_path, capsys):
    kept, drawn = tmp_path / "a.json", tmp_path / "a.png"
    more = ["--arrays", "1,10", "--peers", "numpy", "--plot", str(drawn)]
    assert cli.main([*TINY, *more, "--json", str(kept)]) == 0
    assert "AdamW float32, 1,000 in 10 arrays" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")
    found = json.loads(kept.read_text())
    assert found[saved.KEY] == saved.LAYOUT
    assert [r["case"]["elements"] for r in found["results"]] == [100, 1000] * 2
    assert set(found["machine"]) == {
        "processor", "cores", "isa", "system", "python", "versions", "environment"
    }  # fmt: skip
    assert cli.main([*TINY, "--peers", "none", "--compare", str(kept)]) == 0
    assert "new/old" in capsys.readouterr().out


def test_a_command_without_any_result_fails(capsys, tmp_path):
    few = ["bench", "--sizes", "10,20", "--arrays", "100", "--threads", "1"]
    kept = tmp_path / "a.json"
    assert cli.main([*few, "--optimizer", "all", "--json", str(kept)]) == 1
    out, err = capsys.readouterr()
    count = 2 * len(lrcore.optimizers.available())
    assert err.startswith(
        f"lrcore: no case could be timed: no result for {count} cases: fewer elements "
        "than 100 arrays: (AdaBelief float32, 10 in 100 arrays, 1 thread), "
    )
    assert len(err) < 600
    assert (out, kept.exists()) == ("", False)


def test_cases_without_a_result_are_named_by_reason():
    found = told({"lrcore": 10.0}, a="too big", b="too big", c="too few")
    lines = report.tables(found).splitlines()[-2:]
    assert lines == [
        "no result for 2 cases: too big: (a), (b)",
        "no result: c: too few",
    ]


def test_a_line_has_a_gap_where_a_case_was_left_out(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.update(
        {line.get_label(): line for line in figure.axes[0].lines}
    ))  # fmt: skip
    results = [
        told(times, CASE._replace(elements=n)).results[0]
        for n, times in (
            (10, {"lrcore": 1, "b": 2}),
            (100, {"lrcore": 1}),
            (1000, {"lrcore": 1, "b": 5, "b, 1 thread": 4}),
        )
    ]
    picture.draw(told({})._replace(results=results[::-1]), str(tmp_path / "x.png"))
    ours, other = drawn.values()
    assert ours.get_ydata().tolist() == [1e-6] * 3
    np.testing.assert_array_equal(other.get_ydata(), [2e-6, np.nan, 4e-6])


def test_the_command_takes_other_optimizers_and_the_preset(monkeypatch, capsys):
    assert cli.main([*TINY, "--optimizer", "lion", "--dtype", "float64"]) == 0
    assert "Lion float64, 100 in 1 array" in capsys.readouterr().out
    few = [bars.Bar(CASE, (bars.Asked("numba", 1),))]
    monkeypatch.setattr(bars, "bars", lambda threads: few)
    assert cli.main([*TINY, "--bars", "--peers", "none"]) == 0
    assert "met: 0, missed: 0, of 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--sizes", "1e3,many"], "--sizes: expected whole numbers .* found 'many'"),
        (["--sizes", "0"], "--sizes: expected whole numbers from 1 on"),
        (["--arrays", "1.5"], "--arrays: expected whole numbers .* found '1.5'"),
        (["--threads", "0"], "--threads: expected whole numbers"),
        (["--peers", "numby"], "--peers: expected some of NumPy textbook.*'numby'"),
        (["--optimizer", "Adamn"], "--optimizer: invalid choice: 'Adamn'"),
        (["--dtype", "float16"], "--dtype: invalid choice: 'float16'"),
        (["--neighbours", "spin"], "--neighbours: expected none, spin:N or step:N"),
        (["--neighbours", "none,run:1"], "with N from 1 to 99, found 'run:1'"),
        (["--neighbours", "step:0"], "with N from 1 to 99, found 'step:0'"),
        (["--rounds", "0"], "--rounds: expected 1 to 1,000,000, found '0'"),
        (["--seconds", "nan"], "--seconds: expected seconds from 0.0001 to 60"),
        (["--json", "/no/such/folder/a.json"], "--json: there is no folder /no/such"),
        (["--plot", "a.txt"], "--plot: expected a .png, .pdf or .svg"),
        (["--compare", "/no/such/file"], "--compare: /no/such/file: .*No such file"),
        (["--compare", __file__], "--compare: .*expected a file that `lrcore bench"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_do(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", *argv])
    assert stop.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


@pytest.mark.parametrize("more", [["--bars"], ["--optimizer", "all"]])
def test_a_picture_of_too_much_is_refused_before_the_run(more, capsys):
    assert cli.main([*TINY, *more, "--plot", "a.png"]) == 1
    assert capsys.readouterr().err.startswith("lrcore: --plot: draws sizes of at most")
