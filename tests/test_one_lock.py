"""One thread at a time works on an optimizer: what others find is whole, or an error.

LRCORE_TRIALS=10000 python -m pytest tests/test_one_lock.py
"""

import copy
import pickle
import threading

import numpy as np
import pytest
from beside import beside
from interrupted import TRIALS

import lrcore
from lrcore import _core

BIG = 200_000  # elements whose step lets other threads run


def lr_of(opt):
    opt.lr = 0.5


def scale_of(opt):
    opt.grad_scale = 0.5


def count_of(opt):
    opt.t = 5


def momentum_of(opt):
    opt.param_groups[0]["momentum"] = 0.5


def averaged(opt):
    with opt.averaged():
        pass


USES = {
    "lr": lr_of,
    "option": scale_of,
    "t": count_of,
    "group": momentum_of,
    "averaged": averaged,
    "state_dict": lambda opt: opt.state_dict(),
    "save_async": lambda opt: opt.save_async("never written"),
    "load": lambda opt: opt.load_state_dict(made(np.ones(2)).state_dict()),
    "multiply_lr": lambda opt: opt.multiply_lr(0.5),
    "add_group": lambda opt: opt.add_group(np.ones(3)),
    "step": lambda opt: opt.step(np.ones(2)),
    "flush": lambda opt: opt.flush(),
    "step_one": lambda opt: opt.step_one(0, np.ones(2)),
    "report": lambda opt: opt.report,
    "reports": lambda opt: opt.reports("tensor"),
    "pickle": pickle.dumps,
    "deepcopy": copy.deepcopy,
    "attach": lambda opt: lrcore.ReduceOnPlateau.attach(opt),
}


def made(p, **options):
    return lrcore.SGD(p, momentum=0.9, ema_decay=0.9, telemetry=True, **options)


@pytest.mark.parametrize("where", ["in a step", "in another thread", "in a block"])
@pytest.mark.parametrize("use", USES)
def test_each_use_is_refused_while_the_optimizer_is_in_use(use, where):
    p, refused, uses = np.ones(2), [], False

    def try_it():
        with pytest.raises(RuntimeError, match=r"middle of a step|lent to"):
            USES[use](opt)
        refused.append(use)

    def project(p):
        if uses and where == "in another thread":
            thread = threading.Thread(target=try_it)
            thread.start()
            thread.join()
        elif uses and where == "in a step":
            try_it()

    opt = made(p, project=project)
    opt.step(np.ones(2))
    uses = True
    if where == "in a block":
        with opt.averaged():
            try_it()
    else:
        opt.step(np.ones(2))
    assert refused == [use]
    assert opt._plan.lock.busy is None
    assert opt.step(np.ones(2))


@pytest.fixture(params=_core.threadings())
def back_end(request):
    """What runs the threads of a step, one after the other."""
    lrcore.set_threading(request.param)
    yield request.param
    lrcore.set_threading(None)


each_back_end = pytest.mark.usefixtures("back_end")


@each_back_end
@pytest.mark.parametrize("n", [10, BIG])
def test_a_state_beside_steps_is_of_one_moment(n):
    params = [np.zeros(n, np.float32) for _ in range(3)]
    opt = lrcore.SGD(params, lr=1.0, momentum=1.0, num_threads=2, ema_decay=0.5)
    states = []

    def use():
        saved = opt.state_dict()
        arrays = [own["m"] for own in saved["state"]]
        states.append((saved["t"], saved["steps"], arrays))

    use()
    beside(opt, [np.ones_like(p) for p in params], use)
    assert len({t for t, *_ in states}) > 1
    for t, steps, arrays in states:
        assert steps == [t] * 3
        assert {x for array in arrays for x in array[:: n // 10]} == {t}


@each_back_end
@pytest.mark.parametrize("n", [10, BIG])
def test_loading_and_averages_beside_steps_are_whole(n):
    p = np.zeros(n)
    opt = lrcore.SGD(p, lr=1.0, momentum=1.0, num_threads=2, ema_decay=0.5)
    opt.step(np.ones(n))
    saved = opt.state_dict()

    def use():
        opt.load_state_dict(saved)
        with opt.averaged():
            pass

    # A load is refused if a step was taken while it was checked.
    few = {"trials": TRIALS // 5, "gap": 0.02} if n == BIG else {"gap": 1e-3}
    beside(opt, np.ones(n), use, **few)
    final = opt.state_dict()
    assert {*final["state"][0]["m"]} == {final["t"]}
    assert len({*final["state"][0]["ema"]}) == len({*p}) == 1


def test_rates_beside_steps_are_those_of_one_setting():
    groups = [{"params": np.zeros(2)} for _ in range(4)]
    opt = lrcore.SGD(groups, lr=1.0)
    rate = 1.0

    def use():
        nonlocal rate
        rate = 3 - rate  # 1, 2, 1 ...
        opt.lr = rate
        assert len({*opt.last_lr}) == 1

    beside(opt, [np.zeros(2)] * 4, use)
