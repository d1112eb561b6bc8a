"""The tables of `lrcore bench`: limits, bytes, bars."""

import pytest
from timed import CASE, QUICK, cells, told

import lrcore
from lrcore.bench import bars, comparison, limits, peers, report, run, whole
from lrcore.bench.cases import Divider

pytestmark = pytest.mark.usefixtures("no_pause")


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


def test_cases_without_a_result_are_named_by_reason():
    found = told({"lrcore": 10.0}, a="too big", b="too big", c="too few")
    lines = report.tables(found).splitlines()[-2:]
    assert lines == [
        "no result for 2 cases: too big: (a), (b)",
        "no result: c: too few",
    ]
