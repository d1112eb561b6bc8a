"""Memory that cannot be had, at each point of a call: an error, and nothing is torn."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.trials

pytest.importorskip("_testcapi", reason="this Python has no module for its own tests")

# Each point is tried in a child of its own: what an earlier one has done to NumPy or to
# Python cannot matter, and a crash is the point's.
SCRIPT = """
    import gc, os, sys
    import _testcapi, numpy as np, lrcore

    def arrays(value):
        return [np.full(8, value + k) for k in range(3)]

    name = {name!r}
    options = {{
        "a step that zeroes new gradients": {{"zero_grads": True}},
        "a step that converts": {{"convert_grads": True}},
        "flush": {{"accumulate": 4}},
        "a step with limits": {{"clip_norm": "zclip", "clip_tensor_norm": "adagc"}},
    }}.get(name, {{}})

    def made(params, **more):
        return lrcore.AdamW(
            params, lr=lambda t: 0.1, telemetry=True, ema_decay=0.5, **more
        )

    def begun():
        for array, value in zip([*grads, *new], [*arrays(0.5), *arrays(0.25)]):
            array[...] = value  # a step may have zeroed it
        params = arrays(1.0)
        opt = made(params, **options)
        for _ in range(2):
            opt.step(grads)
        if name == "the last of step_one":
            opt.step_one(0, None), opt.step_one(1, grads[1])
        return opt, params

    def averaged(opt):
        with opt.averaged():
            pass

    def clip(opt):
        opt.clip_norm = lambda t: 1.0

    def beta(opt):
        opt.param_groups[0]["betas"] = 0.8, 0.9

    def groups(opt):
        parted = [{{"params": unused[:2]}}, {{"params": unused[2:], "lr": 0.5}}]
        made(parted, agc=0.1, agc_axis=0)

    def go_on(opt):
        for i in sorted(opt._plan.to_come):
            opt.step_one(i, grads[i])
        opt.step(grads if len(opt.param_groups) == 1 else [grads, new])

    grads, some, new = arrays(0.5), [None, *arrays(0.5)[1:]], arrays(0.25)
    wide = [np.ones(8, np.float32) for _ in range(3)]
    other = made(arrays(2.0), betas=(0.8, 0.9))
    for _ in range(5):
        other.step(grads)
    saved = other.state_dict()
    call = {{
        "construction": lambda opt: made(unused),
        "construction of groups": groups,
        "construction by patterns": lambda opt: made(
            unused, groups={{"*": {{"weight_decay": 0.0}}}}
        ),
        "construction of others": lambda opt: [
            lrcore.Adafactor(unused), lrcore.Prodigy(unused), lrcore.LAMB(unused)
        ],
        "add_group": lambda opt: opt.add_group(unused, lr=0.5),
        "an option": clip,
        "a hyper-parameter": beta,
        "report": lambda opt: opt.report,
        "step": lambda opt: opt.step(grads),
        "a step that zeroes new gradients": lambda opt: opt.step(new),
        "a step that converts": lambda opt: opt.step(wide),
        "a step with limits": lambda opt: opt.step(grads),
        "flush": lambda opt: opt.flush(),
        "a step without a gradient": lambda opt: opt.step(some),
        "step_one": lambda opt: opt.step_one(1, None),
        "the last of step_one": lambda opt: opt.step_one(2, grads[2]),
        "state_dict": lambda opt: opt.state_dict(),
        "load_state_dict": lambda opt: opt.load_state_dict(saved),
        "averaged": averaged,
    }}[name]
    unused = arrays(3.0)

    def seen(opt, params):
        states = [{{n: a.tobytes() for n, a in own.items()}} for own in opt.state]
        plan, betas = opt._plan, opt.param_groups[0]["betas"]
        counts = opt.t, plan.steps, sorted(plan.to_come), plan.lock.busy
        groups = len(opt.param_groups), opt.clip_norm is None
        return [p.tobytes() for p in params], states, counts, betas, groups

    opt, params = begun()
    before = seen(opt, params)
    call(opt)
    after = seen(opt, params)

    def fails(k):
        "Whether the k-th request for memory fails; exits with 1 if something is torn."
        opt, params = begun()
        failed = False
        try:
            _testcapi.set_nomemory(k, k + 1)
            call(opt)
            _testcapi.remove_mem_hooks()
        except (MemoryError, SystemError, ValueError):
            _testcapi.remove_mem_hooks()
            failed = True
        if seen(opt, params) not in (before, after):
            os._exit(1)
        if not gc.isenabled():
            os._exit(3)
        go_on(opt)  # it can be used
        os._exit(0 if failed else 2)

    k = last = bad = 0
    while k - last < 30 and bad < 10:  # some requests may fail without an error
        k += 1
        child = os.fork()
        if child == 0:
            fails(k)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status not in (0, 2):
            print(f"request {{k}}: {{status}}")
            bad += 1
        last = k if status != 2 else last
    print(last, "requests")
"""


@pytest.mark.parametrize(
    "name",
    [
        "construction", "construction of groups", "construction by patterns",
        "construction of others", "add_group", "an option", "a hyper-parameter",
        "report", "step", "a step that zeroes new gradients", "a step that converts",
        "a step with limits", "flush", "a step without a gradient", "step_one",
        "the last of step_one", "state_dict", "load_state_dict", "averaged",
    ],
)  # fmt: skip
def test_memory_that_cannot_be_had_tears_nothing(name):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT.format(name=name))],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *bad, found = done.stdout.splitlines()
    assert bad == []
    # A step asks for none; a report and a check of new gradients for one or two.
    few = {"step": 0, "report": 1, "a step that zeroes new gradients": 1}
    assert int(found.split()[0]) >= few.get(name, 5)


# CPython 3.10 to 3.13 crashes without lrcore: where iter(d.items()) gets no memory for
# its tuple of two, it removes an iterator from the garbage collector's list in which it
# is not yet.  While freed tuples are left to be used again, it asks for none.
REPEATED = """
    import _testcapi, numpy as np, lrcore

    params = [np.ones(8) for _ in range(3)]

    def construct():
        lrcore.AdamW(params, lr=lambda t: 0.1, telemetry=True, ema_decay=0.5)

    construct()
    failed = 0
    for _ in range(2):
        k = last = 0
        while k - last < 30:
            k += 1
            tuples = [(i, i) for i in range(1900)]
            del tuples
            try:
                _testcapi.set_nomemory(k, k + 1)
                construct()
                _testcapi.remove_mem_hooks()
            except (MemoryError, SystemError):
                _testcapi.remove_mem_hooks()
                failed, last = failed + 1, k
    construct()
    print(failed)
"""


def test_many_constructions_of_a_process_may_fail():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(REPEATED)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 500
