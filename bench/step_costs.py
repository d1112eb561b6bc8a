"""What options cost a step in Python: schedules, reports, absent gradients ...

python bench/step_costs.py [ROUNDS]
python bench/step_costs.py loop [STEPS]

Prints the microseconds of a step, and those over the bare AdamW step, in float32 with
100 elements in 1 array and in each of 20 arrays, where Python takes nearly all of the
time.  The cases take turns; the figure is the least mean of a turn, which other work on
the machine changes least.

Then the time of a step of 1,000,000 elements by one thread, where bytes take the time,
over that of a plain one: of optimizers whose numbers come from sums.

Then what safety costs: the optimizer's lock in a step of 1,000 elements (its check,
called from Python, which takes longer than within the step), and the checks of values
in a load of 1,000,000 elements, of which each reads all of its arrays once.

With `loop`, it runs training loops of 1,000,000 steps (or STEPS) by one thread: with
a schedule, with clipping, with a report that is read after each step, and with all
of these.  The arrays have 1,000 elements in all.  The loops take turns of 1,000 steps;
the figures are the mean and the median of a step in all turns.
"""

import sys
from functools import partial
from time import perf_counter

import numpy as np

import lrcore
from lrcore._core import RULES
from lrcore._shared.trees import Place
from lrcore.bench.clock import collected, interleave
from lrcore.optimizers.base.saved_states import _check_signs, is_finite
from lrcore.schedules import Cosine

TURN = 300e-6
"""Seconds of a turn: no longer, so that some turns are not interrupted."""

MANY = 20
COSINE = Cosine(1e-3, total=10**9)


def arrays(count, elements=100):
    params = [np.ones(elements, np.float32) for _ in range(count)]
    return params, [np.full(elements, 1e-3, np.float32) for _ in range(count)]


def plain(kind, count, **options):
    params, grads = arrays(count)
    return partial(getattr(lrcore, kind)(params, **options).step, grads)


def grouped(count, groups):
    params, grads = arrays(count)
    each = [{"params": [p]} for p in params] if groups else [{"params": params}]
    split = [[g] for g in grads] if groups else [grads]
    return partial(lrcore.AdamW(each).step, split)


def rested(count, every):
    """One array rests in every so many-th step."""
    params, grads = arrays(count)
    step, rest, t = lrcore.AdamW(params).step, [None, *grads[1:]], 0

    def call():
        nonlocal t
        t += 1
        step(grads if t % every else rest)

    return call


def one_by_one(count):
    params, grads = arrays(count)
    step_one, each = lrcore.AdamW(params).step_one, range(count)

    def call():
        for i in each:
            step_one(i, grads[i])

    return call


def with_the_rest(count, then, **options):
    """A step, and what `then` makes of its optimizer."""
    params, grads = arrays(count)
    opt = lrcore.AdamW(params, **options)
    step, more = opt.step, then(opt)

    def call():
        step(grads)
        more()

    return call


def wide(count):
    params, grads = arrays(count)
    step = lrcore.AdamW(params, convert_grads=True).step
    return partial(step, [g.astype(np.float64) for g in grads])


def read(opt):
    return lambda: opt.report


def watch(opt):
    return partial(lrcore.Monitor(opt).update, 1.0)


def loss_scaled(count):
    params, grads = arrays(count)
    return partial(lrcore.LossScaler(1.0).step, lrcore.AdamW(params), grads)


def nothing(params):
    pass


CASES = {
    "AdamW": partial(plain, "AdamW"),
    "lr: a function": partial(plain, "AdamW", lr=lambda t: 1e-3),
    "lr: Cosine": partial(plain, "AdamW", lr=COSINE),
    "lr, betas, weight_decay: functions": partial(
        plain,
        "AdamW",
        lr=lambda t: 1e-3,
        betas=lambda t: (0.9, 0.999),
        weight_decay=lambda t: 0.01,
    ),
    "clip_norm": partial(plain, "AdamW", clip_norm=1.0),
    'clip_norm="zclip"': partial(plain, "AdamW", clip_norm="zclip"),
    "clip_tensor_norm": partial(plain, "AdamW", clip_tensor_norm=1.0),
    'clip_tensor_norm="adagc"': partial(plain, "AdamW", clip_tensor_norm="adagc"),
    "skip_nonfinite": partial(plain, "AdamW", skip_nonfinite=True),
    "ema_decay": partial(plain, "AdamW", ema_decay=0.99),
    "project, ema_decay": partial(plain, "AdamW", ema_decay=0.99, project=nothing),
    "accumulate=4, a call": partial(plain, "AdamW", accumulate=4),
    "convert_grads, all of float64": wide,
    "telemetry": partial(plain, "AdamW", telemetry=True),
    "telemetry, report read": partial(with_the_rest, then=read, telemetry=True),
    "telemetry, curvature, report read": partial(
        with_the_rest, then=read, telemetry=True, curvature=True
    ),
    "Cosine, clip_norm, report read": partial(
        with_the_rest, then=read, telemetry=True, lr=COSINE, clip_norm=1.0
    ),
    "telemetry, Monitor": partial(with_the_rest, then=watch, telemetry=True),
    "by LossScaler": loss_scaled,
    "a group for each array": partial(grouped, groups=True),
    "the same array rests": partial(rested, every=1),
    "an array rests in every 4th step": partial(rested, every=4),
    "step_one": one_by_one,
    "Mechanic": partial(plain, "AdamW", lr=1.0, mechanic=True),
    "Prodigy": partial(plain, "Prodigy"),
    "DoG": partial(plain, "DoG"),
    "LDoG": partial(plain, "LDoG"),
    "AdamWScheduleFree": partial(plain, "AdamWScheduleFree"),
    "LAMB": partial(plain, "LAMB"),
}


def least(steps, rounds):
    """Return the seconds of a call, the least mean of all turns."""
    best = dict.fromkeys(steps, float("inf"))
    with collected():
        for _ in range(rounds):
            for name, step in steps.items():
                calls = max(1, int(TURN / best[name]))
                step()
                start = perf_counter()
                for _ in range(calls):
                    step()
                best[name] = min(best[name], (perf_counter() - start) / calls)
    return best


def costs(rounds):
    columns = [
        least({name: make(count) for name, make in CASES.items()}, rounds)
        for count in (1, MANY)
    ]
    print(f"{'us a step, and over AdamW':<36}{'1 array':>16}{f'{MANY} arrays':>22}")
    for name in CASES:
        line = f"{name:<36}"
        for column in columns:
            line += f"{column[name] * 1e6:>8.2f}"
            line += f"{(column[name] - column['AdamW']) * 1e6:>+8.2f}" + " " * 6
        print(line.rstrip())


# Bytes for each element that a step moves from and to memory: g, p, each state, and the
# arrays of the gauge.  Arrays that Mechanic reads again are still in the cache.
BYTES = {
    "AdamW": 28,  # read g; read and write p, m, v
    "Adam": 28,
    "clip_norm": 28 + 4,  # g once more
    "zclip": 28 + 4,
    "adagc": 28 + 4,
    "curvature": 28 + 24,  # p, g; read and write the last ones
    "Mechanic": 28 + 16 + 12,  # with delta, p0; gauge: g, p, delta
    "DAdaptAdam": 36 + 12,  # with s; gauge: g, v, s
}
LARGE = {
    "AdamW": lambda p: lrcore.AdamW(p, num_threads=1),
    "clip_norm": lambda p: lrcore.AdamW(p, clip_norm=1.0, num_threads=1),
    "zclip": lambda p: lrcore.AdamW(p, clip_norm="zclip", num_threads=1),
    "adagc": lambda p: lrcore.AdamW(p, clip_tensor_norm="adagc", num_threads=1),
    "curvature": lambda p: lrcore.AdamW(
        p, telemetry=True, curvature=True, num_threads=1
    ),
    "Mechanic": lambda p: lrcore.AdamW(p, lr=1.0, mechanic=True, num_threads=1),
    "Adam": lambda p: lrcore.Adam(p, num_threads=1),
    "DAdaptAdam": lambda p: lrcore.DAdaptAdam(p, num_threads=1),
}


def bytes_moved():
    g = np.full(1_000_000, 1e-3, np.float32)
    steps = {name: partial(make(g.copy()).step, g) for name, make in LARGE.items()}
    times = interleave(steps, rounds=25, seconds=0.02)
    large = {name: timing.median for name, timing in times.items()}
    print(f"\n1,000,000 elements; AdamW takes {large['AdamW'] * 1e6:.0f} us")
    over = {name: "Adam" if name == "DAdaptAdam" else "AdamW" for name in LARGE}
    for name, base in over.items():
        if name in ("Adam", "AdamW"):
            continue
        ratio = large[name] / large[base]
        moved = BYTES[name] / BYTES[base]
        print(f"{name:<26} {ratio:5.2f} of {base}, {ratio / moved:.2f} a byte")


def share(name, seconds, of):
    print(f"{name:<44}{seconds * 1e6:>10.3f} us{100 * seconds / of:>7.1f} %")


def the_lock(rounds):
    (p,), (g,) = arrays(1, 1000)
    opt = lrcore.AdamW(p, num_threads=1)
    calls = {"step": partial(opt.step, g), "lock": opt._plan.lock.check}
    times = least(calls, rounds)
    print("\n1,000 elements, a step, and the most that its lock takes of it")
    for name in calls:
        share(name, times[name], times["step"])


def checks_of_a_load(rounds):
    p = np.ones(1_000_000, np.float32)
    opt = lrcore.AdamW(p)
    opt.step(p.copy())
    saved, place = opt.state_dict(), Place("state", opt._tree.leaves[0])
    (new,) = saved["state"]
    signed = RULES["adam"].nonnegative
    calls = {
        "load_state_dict": partial(opt.load_state_dict, saved),
        f"are {' and '.join(new)} finite?": lambda: [*map(is_finite, new.values())],
        f"is {' and '.join(signed)} negative?": lambda: _check_signs(
            place, new, iter(signed)
        ),
    }
    times = least(calls, rounds)
    print("\n1,000,000 elements, a load, and the checks of its values")
    for name in calls:
        share(name, times[name], times["load_state_dict"])


LOOPS = {
    "bare": {},
    "schedule": {"lr": COSINE},
    "clip_norm": {"clip_norm": 1.0},
    "report read": {"telemetry": True},
    "all of it": {"lr": COSINE, "clip_norm": 1.0, "telemetry": True},
}
LOOP_TURN = 1000  # steps


def train(opt, grads, steps):
    """Return the seconds of a loop; it reads the report if there is one."""
    step = opt.step
    start = perf_counter()
    if opt.telemetry:
        for _ in range(steps):
            step(grads)
            _ = opt.report
    else:
        for _ in range(steps):
            step(grads)
    return perf_counter() - start


def loops(steps):
    print(
        f"{f'us a step of {steps:,}':<26}{'mean':>8}{'over':>8}{'median':>9}{'over':>8}"
    )
    for count in (1, 10):
        made, times = {}, {name: [] for name in LOOPS}
        for name, options in LOOPS.items():
            params, grads = arrays(count, 1000 // count)
            made[name] = lrcore.AdamW(params, num_threads=1, **options), grads
        with collected():
            for _ in range(max(1, steps // LOOP_TURN)):
                for name, (opt, grads) in made.items():
                    times[name].append(train(opt, grads, LOOP_TURN) / LOOP_TURN * 1e6)
        for name, each in times.items():
            figures = np.mean(each), np.median(each)
            bare = np.mean(times["bare"]), np.median(times["bare"])
            line = f"{count:>2} arrays, {name:<15}"
            for figure, base in zip(figures, bare, strict=True):
                line += f"{figure:>8.2f}{figure - base:>+8.2f} "
            print(line.rstrip())


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        loops(*map(int, sys.argv[2:] or ["1_000_000"]))
    else:
        costs(*map(int, sys.argv[1:] or ["200"]))
        bytes_moved()
        the_lock(2000)
        checks_of_a_load(50)
