"""A process that may get no more memory: an error and no change, or all of it.

LRCORE_LIMITS=240 python -m pytest tests/test_address_space.py tries that many limits.
"""

import os
import subprocess
import sys
import textwrap

import pytest

import lrcore

pytestmark = [
    pytest.mark.trials,
    pytest.mark.skipif(
        sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux"
    ),
]
LIMITS = int(os.environ.get("LRCORE_LIMITS", "5"))

# A child for each limit, which leaves room for so many bytes more than there are.  Each
# call that is refused is repeated without the limit.
SCRIPT = """
    import os, resource, signal, sys
    import numpy as np, lrcore

    os.fsync = lambda file: None  # which takes most of the time
    lrcore.set_threading({threading!r})
    NO_LIMIT = resource.RLIM_INFINITY, resource.RLIM_INFINITY
    LARGEST, LIMITS = 16 << 20, {limits}
    N = 100_000

    def used():
        with open("/proc/self/statm") as statm:
            return resource.getpagesize() * int(statm.read().split()[0])

    def arrays(value):
        return [np.full(N, value + k, np.float32) for k in range(2)]

    def made(params):
        return lrcore.AdamW(
            params, telemetry=True, ema_decay=0.5, clip_norm=1.0, num_threads=4
        )

    def bits(opt, params):
        if opt is None:
            return [p.tobytes() for p in params]
        states = [a.tobytes() for own in opt.state for a in own.values()]
        return [p.tobytes() for p in params], states, opt.t

    def run(folder, room):
        "Return the bits at the end, and which calls were refused."
        params, grads, others = arrays(1.0), arrays(0.5), arrays(3.0)
        opt = other = None
        refused = []

        def construct():
            nonlocal opt
            opt = made(params)

        def construct_another():
            nonlocal other
            other = made(others)

        calls = [
            construct,
            lambda: opt.step(grads),
            lambda: opt.step(grads),
            lambda: opt.save(f"{{folder}}/saved"),
            lambda: opt.save_async(f"{{folder}}/saved").wait(),
            construct_another,
            lambda: other.load(f"{{folder}}/saved"),
            lambda: other.load_state_dict(opt.state_dict()),
            lambda: other.step(grads),
        ]
        for k, call in enumerate(calls):
            before = bits(opt, params), bits(other, others)
            if room is not None:
                most = used() + room
                resource.setrlimit(resource.RLIMIT_AS, (most, NO_LIMIT[1]))
            try:
                call()
            except MemoryError:
                resource.setrlimit(resource.RLIMIT_AS, NO_LIMIT)
                refused.append(k)
                assert (bits(opt, params), bits(other, others)) == before, k
                call()
            resource.setrlimit(resource.RLIMIT_AS, NO_LIMIT)
        return (bits(opt, params), bits(other, others)), refused

    folder = sys.argv[1]
    expected, _ = run(folder, None)
    for k in range(LIMITS):
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends what hangs
            found, refused = run(folder, LARGEST * k // LIMITS)
            os._exit(20 + len(refused) if found == expected else 10)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(k, status - 20)
"""


@pytest.mark.parametrize("threading", lrcore._core.threadings())
def test_a_limit_of_memory_tears_nothing(threading, tmp_path):
    script = SCRIPT.format(threading=threading, limits=LIMITS)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    refused = [int(line.split()[1]) for line in done.stdout.splitlines()]
    assert len(refused) == LIMITS
    assert min(refused) >= 0, (refused, done.stderr)
    assert refused[0] > 0, "without any room, some calls are refused"
    assert refused[-1] == 0
