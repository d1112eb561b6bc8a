"""Arrays too large for caches, which are stepped in blocks as memory delivers them."""

import numpy as np
import pytest
from helpers import KINDS, all_same, bits_of

import lrcore

pytestmark = pytest.mark.isa

STREAMED = 1 << 22  # as in src_c/view.c
REST = 2048 + 128 + 3  # the end of the array: a strip, a block and some elements

AROUND = {"ema_decay": 0.5, "zero_grads": True, "clip_value": 0.5, "grad_scale": 0.5}


def drawn(n=STREAMED + REST):
    rng = np.random.default_rng(n)
    return rng.standard_normal((2, n), dtype=np.float32)


def cut(a):
    """Cut an array into two that are not streamed."""
    return [a[: STREAMED // 2], a[STREAMED // 2 :]]


@pytest.mark.parametrize("options", [{}, AROUND])
def test_a_streamed_array_is_stepped_as_its_parts(options):
    start, g = drawn()
    whole, parts = start.copy(), [part.copy() for part in cut(start)]
    opt, twin = (lrcore.AdamW(p, lr=0.01, **options) for p in (whole, parts))
    for _ in range(2):
        own, theirs = g.copy(), [part.copy() for part in cut(g)]
        opt.step(own)
        twin.step(theirs)
        assert all_same(cut(own), theirs)
    assert all_same(cut(whole), parts)
    for name, state in opt.state[0].items():
        assert all_same(cut(state), [part[name] for part in twin.state])


@pytest.mark.parametrize("name", ["LAMB", "Lion", "NovoGrad"])
def test_its_report_changes_no_bit(name):
    """With a report, whole strips are stepped."""
    start, g = drawn()
    params, twins = start.copy(), start.copy()
    opt = KINDS[name](params, lr=0.01, **AROUND)
    twin = KINDS[name](twins, lr=0.01, telemetry=True, **AROUND)
    for _ in range(2):
        opt.step(g.copy())
        twin.step(g.copy())
    assert bits_of(opt, [params]) == bits_of(twin, [twins])
