"""A long run keeps the memory it had.

LRCORE_TRIALS=10000 python -m pytest tests/test_growth.py takes 1,000,000 steps a case.
"""

import subprocess
import sys
import textwrap

import pytest
from interrupted import TRIALS

pytestmark = pytest.mark.trials

STEPS = 100 * TRIALS

# A process of its own: what other tests have left would come and go.
SCRIPT = """
    import gc, os, sys
    import numpy as np, lrcore
    from lrcore.schedules import Cosine, Linear

    def train(steps):
        for k in range(steps):
            call(k)

    params = [np.ones(10, np.float32) for _ in range(3)]
    grads = [np.full(10, 1e-3, np.float32) for _ in range(3)]
    case = {case!r}
    if case == "bare":
        opt = lrcore.AdamW(params)
        call = lambda k: opt.step(grads)
    elif case == "all of it":
        opt = lrcore.AdamW(
            params, lr=Cosine(1e-3, total=10**6), betas=lambda t: (0.9, 0.99),
            clip_norm=lambda t: 1.0, clip_tensor_norm=0.5, skip_nonfinite=True,
            telemetry=True, ema_decay=0.9, swa_start=5, lookahead_steps=3,
            zero_grads=True, project=lambda p: None,
        )
        def call(k):
            opt.step([g.copy() for g in grads])
            assert opt.report.applied
    elif case == "refused":
        opt = lrcore.AdamW(params, skip_nonfinite=True)
        wrong = [grads[0], grads[1], np.ones(10)]
        infinite = [grads[0], grads[1], np.full(10, np.inf, np.float32)]
        def call(k):
            try:
                opt.step(wrong)
            except TypeError:
                pass
            else:
                raise AssertionError("a gradient of another dtype was taken")
            assert not opt.step(infinite)
    elif case == "gathered, converted, absent":
        opt = lrcore.Adam(params, accumulate=3, convert_grads=True)
        wide = [g.astype(float) for g in grads]
        def call(k):
            opt.step([None, wide[1], wide[2]] if k % 2 else wide)
            if k % 7 == 0:
                opt.flush()
    elif case == "one by one":
        opt = lrcore.LAMB(params)
        def call(k):
            for i in range(3):
                opt.step_one(i, None if k % 3 == i else grads[i])
    elif case == "sums":
        opt = lrcore.Adam(params, lr=1.0, mechanic=True)
        other = lrcore.Prodigy([np.ones(10) for _ in range(3)])
        def call(k):
            opt.step(grads)
            other.step([g.astype(float) for g in grads])
    elif case == "averages lent, saved, changed":
        opt = lrcore.AdamW(params, ema_decay=0.9)
        stopping = lrcore.EarlyStopping(params=params)
        def call(k):
            opt.step(grads)
            if k % 20 == 0:
                with opt.averaged():
                    pass
                opt.load_state_dict(opt.state_dict())
                opt.lr, opt.clip_norm = 1e-3, 1.0
                stopping.update(-k)
                stopping.restore()
    elif case == "constructed":
        def call(k):
            if k % 50 == 0:
                lrcore.AdamW(params, groups={{"0": {{"lr": 0.5}}}}).step(grads)

    def resident():
        with open("/proc/self/statm") as statm:
            return os.sysconf("SC_PAGE_SIZE") * int(statm.read().split()[1])

    steps = {steps}
    train(min(steps, 5_000))
    gc.collect()
    blocks, bytes_before = sys.getallocatedblocks(), resident()
    train(steps)
    gc.collect()
    print(sys.getallocatedblocks() - blocks, resident() - bytes_before)
"""
CASES = [
    "bare", "all of it", "refused", "gathered, converted, absent", "one by one", "sums",
    "averages lent, saved, changed", "constructed",
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is read from /proc")
@pytest.mark.parametrize("case", CASES)
def test_steps_keep_the_memory_they_had(case):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT.format(case=case, steps=STEPS))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    blocks, grown = map(int, done.stdout.split())
    assert blocks < 500  # of Python's memory, whose caches take some
    assert grown < 2**20
