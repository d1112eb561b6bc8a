"""Who takes part in `lrcore bench`, with which cases, and who is left out."""

from typing import ClassVar

import numpy as np
import pytest
from timed import CASE, QUICK

import lrcore
from lrcore.bench import agreement, arrays, peers, report, run, whole

pytestmark = pytest.mark.usefixtures("no_pause")


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
