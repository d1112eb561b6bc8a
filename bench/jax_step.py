"""An AdamW step of JAX on the CPU: by lrcore, and by optax.

In jit (lrcore.jax_ffi), where the arrays are donated in both, or outside of it
(lrcore.optax).  Each is timed in processes of its own, in turns.  Prints the median of
all calls, in microseconds.  Needs JAX and optax (bench/requirements.txt).

    python bench/jax_step.py --arrays 100 --elements 1000000
    python bench/jax_step.py --eager --calls 30
"""

import argparse
import json
import subprocess
import sys
import time
from statistics import median


def steps(which, n_arrays, n, calls, eager):
    """Return the seconds of each call."""
    import jax
    import numpy as np

    rng = np.random.default_rng(0)
    params, grads = (
        [
            jax.numpy.array(rng.normal(size=n // n_arrays).astype("float32"))
            for _ in range(n_arrays)
        ]
        for _ in range(2)
    )
    if which == "lrcore" and not eager:
        import lrcore
        from lrcore import jax_ffi

        stepper = jax_ffi.Stepper(lrcore.AdamW, lr=1e-3, weight_decay=0.01)
        init, step = stepper.init, stepper.step
    else:
        import optax

        module = optax
        if which == "lrcore":
            import lrcore.optax as module
        adamw = module.adamw(1e-3, weight_decay=0.01)
        init = adamw.init

        def step(params, grads, state):
            updates, state = adamw.update(grads, state, params)
            return optax.apply_updates(params, updates), state

    if not eager:
        step = jax.jit(step, donate_argnums=(0, 2))
    state, times = init(params), []
    for _ in range(calls):
        jax.block_until_ready((params, state))
        began = time.perf_counter()
        params, state = step(params, grads, state)
        jax.block_until_ready((params, state))
        times.append(time.perf_counter() - began)
    return times[calls // 5 :]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arrays", type=int, default=100)
    parser.add_argument("--elements", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--eager", action="store_true", help="outside of jit")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--in", dest="which", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.which:
        sizes = given.arrays, given.elements, given.calls
        print(json.dumps(steps(given.which, *sizes, given.eager)))
        return
    found = {"lrcore": [], "optax": []}
    for _ in range(given.turns):
        for which, times in found.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--in", which]
            times += json.loads(subprocess.check_output(command))
    for which, times in found.items():
        print(f"{which:<8} {median(times) * 1e6:8.0f} us")


if __name__ == "__main__":
    main()
