"""opt.save and opt.load: a run goes on to the bit, and what does not fit is refused."""

import tracemalloc
from collections import namedtuple
from dataclasses import dataclass
from functools import partial

import every_schedule
import numpy as np
import pytest
from cases import cases
from helpers import KINDS, all_same, each_row, make, same_states
from saves import begun, bits, loaded, stepped
from wrong import WRONG, message, refused

import lrcore
from lrcore.schedules import Constant, Cosine, Function, Schedule

Layer = namedtuple("Layer", "weight bias")


def params(seed=0):
    """Arrays of both dtypes and orders, empty, without axes, and in containers."""
    rng = np.random.default_rng(seed)
    matrix = np.asarray(rng.normal(size=(3, 4)), np.float32, order="F")
    return {
        "layers": [{"W": matrix, "b": rng.normal(size=4)}],
        "norm": Layer(rng.normal(size=2), None),
        "none": np.zeros((0, 3)),
        "scale": np.array(rng.normal()),
    }


def grads(of, rng):
    """Gradients of these params; a group of them has none in the first step."""
    w, b = of["layers"][0]["W"], of["layers"][0]["b"]
    return {
        "layers": [{"W": np.asarray(rng.normal(size=w.shape), w.dtype, order="F"),
                    "b": rng.normal(size=b.shape)}],
        "norm": Layer(rng.normal(size=2) if rng.random() < 0.5 else None, None),
        "none": np.zeros((0, 3)),
        "scale": np.array(rng.normal()),
    }  # fmt: skip


def steps(opt, of, numbers):
    for number in numbers:
        opt.step(grads(of, np.random.default_rng(number)), loss=1.0)


def same(a, b):
    """Whether two optimizers and their params are the same, but for scratch."""
    saved = [opt.state_dict() for opt in (a, b)]
    states = [each.pop("state") for each in saved]
    ours, theirs = ([leaf.array for leaf in opt._tree.leaves] for opt in (a, b))
    return (
        all_same(ours, theirs)
        and same_states(*states)
        and repr(saved[0]) == repr(saved[1])
    )


@cases("more", [{}, {"ema_decay": 0.9, "swa_start": 1, "accumulate": 2}])
@each_row
def test_a_run_goes_on_to_the_bit(row, more, tmp_path):
    path, mine, others = tmp_path / "run", params(0), params(1)
    opt, again = make(row, mine, **more), make(row, others, **more)
    steps(opt, mine, range(3))  # with accumulate, a gradient is gathered
    steps(again, others, range(5, 7))
    opt.save(path)
    again.load(path)
    assert same(opt, again)
    steps(opt, mine, range(10, 13))
    steps(again, others, range(10, 13))
    assert same(opt, again)


def test_groups_patterns_and_a_mixture(tmp_path):
    def layers():
        return [{"w": np.ones((2, 2)), "b": np.ones(2)} for _ in range(2)]

    made = {
        "groups": lambda p: lrcore.Adam(
            [{"params": p[0]}, {"params": p[1], "lr": Cosine(0.5, total=9)}]
        ),
        "patterns": lambda p: lrcore.AdamW(p, groups={"*.b": {"weight_decay": 0.0}}),
        "mixture": lambda p: lrcore.Mixed({"*.w": lrcore.Muon, "*": lrcore.Adam}, p),
    }
    for name, make_one in made.items():
        mine, others = layers(), layers()
        opt, again = make_one(mine), make_one(others)
        opt.step([{k: a + i for k, a in p.items()} for i, p in enumerate(mine)])
        opt.save(tmp_path / name)
        again.load(tmp_path / name)
        assert same(opt, again), name


@pytest.mark.parametrize("given", [
    np.ones(3), [np.ones(1), [np.ones(2)]], {1: np.ones(1), "1": np.ones(2)},
    {"a.b": np.ones(1), "a": {"b": np.ones(2)}}, {"": np.ones(1), "m": np.ones(1)},
    {"\udce4\0\n\"": np.ones(1)}, {(1, 2): np.ones(1), None: np.ones(1)},
    {"digests": np.ones(1), "__metadata__": np.ones(1)},
], ids=str)  # fmt: skip
def test_any_names_of_params(given, tmp_path):
    opt = lrcore.Adam(given)
    arrays = [leaf.array for leaf in opt._tree.leaves]
    for k, array in enumerate(arrays):
        array[:] = np.arange(array.size) + k
    opt.save(tmp_path / "run")
    before = [array.copy() for array in arrays]
    for array in arrays:
        array[:] = 0
    opt.load(tmp_path / "run")
    assert all_same(arrays, before)
    assert len(lrcore.checkpoint.read(tmp_path / "run").params) == len(arrays)


# --- hyper-parameters -----------------------------------------------------------------


@pytest.mark.parametrize("schedule", every_schedule.ALL, ids=str)
def test_every_schedule_is_data(schedule, tmp_path):
    opt, again = (lrcore.SGD(np.ones(1), lr=lr) for lr in (schedule, schedule))
    opt.save(tmp_path / "run")
    with pytest.warns(UserWarning, match="load: .* takes the place of Con"):
        lrcore.SGD(np.ones(1), lr=Constant(7.125)).load(tmp_path / "run")
    again.load(tmp_path / "run")
    assert again.param_groups[0]["lr"] == schedule


@dataclass(frozen=True, repr=False)
class Root(Schedule):
    base: float

    def _at(self, t, xp):
        return self.base * xp.sqrt(t)


def halved(t):
    return 0.5**t


@pytest.mark.parametrize("lr", [
    halved, lambda t: 0.5, partial(halved), Function(halved).warmup(3),
    lrcore.ReduceOnPlateau(halved), 2 * Root(0.5),
], ids=["function", "lambda", "partial", "inside", "plateau", "class"])  # fmt: skip
def test_a_function_is_given_again(lr, tmp_path):
    """A class of schedules is one, too, if it is not imported when the file is read."""
    path = tmp_path / "run"
    opt = lrcore.SGD([{"params": np.ones(1)}, {"params": np.ones(1), "lr": lr}], lr=1.0)
    opt.step([np.ones(1), np.ones(1)])
    opt.save(path)
    known = Schedule._known.pop(Root._name)
    try:
        for other in (0.1, Constant(0.5)):
            others = [{"params": np.ones(1)}, {"params": np.zeros(1), "lr": other}]
            again = lrcore.SGD(others)
            if lrcore.checkpoint.read(path).functions or isinstance(lr, Schedule):
                said = message(again.load, path)
                assert said.startswith("param_groups[1]")
                assert again.t == 0
            again.load(path, hyper="mine")
            assert again.t == 1
        again = lrcore.SGD([{"params": np.ones(1)}, {"params": np.ones(1), "lr": lr}])
        again.load(path)
        assert again.t == 1
        assert again.param_groups[1]["lr"] is lr
    finally:
        Schedule._known[Root._name] = known


def test_the_file_says_which_arguments_are_functions(tmp_path):
    opt = lrcore.Adam(np.ones(1), lr=halved, betas=(lambda t: 0.5, 0.9), clip_norm=max)
    opt.save(tmp_path / "run")
    assert lrcore.checkpoint.read(tmp_path / "run").functions == [
        "clip_norm: builtins.max",
        "param_groups[0]: lr: test_checkpoint.halved",
        "param_groups[0]: betas[0]: test_checkpoint."
        "test_the_file_says_which_arguments_are_functions.<locals>.<lambda>",
    ]
    said = message(lrcore.Adam(np.ones(1)).load, tmp_path / "run")
    assert said.startswith("clip_norm: the file has only the name of a f")
    assert said.endswith("construct the optimizer with them")


def test_plateaus_go_on_and_stay_shared(tmp_path):
    plateaus = []
    for _ in range(2):
        lr = lrcore.ReduceOnPlateau(Cosine(0.5, total=9), factor=0.5, patience=0)
        groups = [{"params": np.ones(1)}, {"params": np.ones(1)}]
        plateaus.append((lr, lrcore.SGD(groups, lr=lr)))
    (lr, opt), (other, again) = plateaus
    lr.update(1.0), lr.update(2.0)
    opt.save(tmp_path / "run")
    again.load(tmp_path / "run")
    assert other.state_dict() == lr.state_dict()
    assert [group["lr"] is other for group in again.param_groups] == [True, True]
    plain = lrcore.SGD([{"params": np.ones(1)}, {"params": np.ones(1)}], lr=0.1)
    with pytest.warns(UserWarning, match="takes the place of"):
        plain.load(tmp_path / "run")
    made = plain.param_groups[0]["lr"]
    assert made.state_dict() == lr.state_dict()
    assert plain.param_groups[1]["lr"] is made


# --- what does not fit ----------------------------------------------------------------


def test_other_optimizers_names_and_shapes(tmp_path):
    path = tmp_path / "run"
    opt = lrcore.Adam({"w": np.ones((2, 3)), "b": np.ones(2)})
    opt.save(path)
    for other, wanted in {
        lrcore.AdamW({"w": np.ones((2, 3)), "b": np.ones(2)}):
            "optimizer: expected the state of AdamW, found that of Adam",
        lrcore.Adam({"w": np.ones((3, 2)), "b": np.ones(2)}):
            "state of params['w']: m: expected shape (3, 2), found (2, 3)",
        lrcore.Adam({"w": np.ones((2, 3)), "c": np.ones(2)}): "names: expected [",
        lrcore.Adam({"w": np.ones((2, 3), "f4"), "b": np.ones(2)}):
            "state of params['w']: m: expected dtype float32, found float64 in the "
            'file; dtype="convert" converts it',
        lrcore.Adam({"w": np.ones((2, 3)), "b": np.ones(2)}, amsgrad=True):
            "state of params['w']: expected arrays",
    }.items():  # fmt: skip
        assert message(other.load, path).startswith(wanted)
        assert other.t == 0
    sgd, wide = lrcore.SGD(np.ones(3)), lrcore.SGD(np.ones(4))
    sgd.save(path)
    assert message(wide.load, path) == "params: expected shape (4,), found (3,)"


def test_arrays_that_are_found_on_both_sides(tmp_path):
    old = lrcore.Adam({"body": np.full(2, 5.0), "head": np.ones(2)})
    old.step({"body": np.ones(2), "head": np.ones(2)})
    old.save(tmp_path / "run")
    mine = {"neck": np.zeros(3), "body": np.zeros(2)}
    opt = lrcore.Adam(mine)
    restored = opt.load(tmp_path / "run", strict=False, match="path")
    assert restored.missing == ["['neck']"]
    assert restored.unexpected == ["['head']"]
    assert mine["body"][0] > 4
    assert not mine["neck"].any()


def test_a_file_without_params(tmp_path):
    opt = stepped(begun())
    opt.save(tmp_path / "run", params=False)
    said = message(begun().load, tmp_path / "run")
    assert said.startswith("params: found none in ")
    again = begun()
    before = bits(again)[0]
    again.load(tmp_path / "run", params=False)
    assert bits(again) == (before, *bits(opt)[1:])


def test_params_that_cannot_be_written(tmp_path):
    opt = lrcore.Adam({"w": np.ones(2)})
    opt.save(tmp_path / "run")
    for change in (
        lambda p: p["w"].setflags(write=False),
        lambda p: p.update(w=np.ones(2)),
    ):
        mine = {"w": np.zeros(2)}
        again = lrcore.Adam(mine)
        change(mine)
        assert message(again.load, tmp_path / "run").startswith("params['w']: found")


def test_a_save_in_the_midst_of_something(tmp_path):
    opt = begun()
    with opt.averaged():
        assert "lent" in message(opt.save, tmp_path / "run")
        assert "lent" in message(opt.load, tmp_path / "run")
    opt.step_one("w", np.ones(300, np.float32))
    assert "step_one has yet to step" in message(opt.save, tmp_path / "run")
    assert [*tmp_path.iterdir()] == []

    class Stepping:
        def state_dict(self):
            stepped(opt)
            return {}

        def load_state_dict(self, saved): ...

    opt.step_one("b", np.ones(7))
    opt.save(tmp_path / "run")
    said = message(partial(opt.save, extra={"x": Stepping()}), tmp_path / "run")
    assert said.startswith("this optimizer was stepped or changed while it was saved")
    assert opt.t == 2
    assert loaded(tmp_path / "run").t == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_wrong_arguments(tmp_path):
    opt, path = begun(), tmp_path / "run"
    opt.save(path)
    before = bits(opt)
    for value in WRONG.values():
        for call in (opt.save, opt.save_async, opt.load):
            assert refused(call, value)
            assert refused(call, path, params=value)
            assert refused(call, path, extra=value)
            if not callable(value):
                refused(call, path, extra={"x": value})
        for name in ("strict", "match", "hyper", "dtype"):
            assert refused(opt.load, path, **{name: value})
    assert refused(opt.save, tmp_path / "no folder" / "run")
    assert refused(opt.save, tmp_path)
    opt.load(path)
    assert bits(opt) == before


# --- other dtypes, memory -------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_conversion_on_request(name, tmp_path):
    """From float32 to float64 and back nothing is lost."""

    def made(dtype, value):
        return KINDS[name]({"w": np.full((2, 3), value, dtype)})

    narrow, wide, back = made("f4", 1.0), made("f8", 2.0), made("f4", 3.0)
    narrow.step({"w": np.full((2, 3), 0.3, np.float32)})
    narrow.save(tmp_path / "narrow")
    wide.load(tmp_path / "narrow", dtype="convert")
    wide.save(tmp_path / "wide")
    back.load(tmp_path / "wide", dtype="convert")
    assert same(narrow, back)
    (n,), (w,) = (opt._tree.leaves for opt in (narrow, wide))
    assert (n.array == w.array).all()


def test_a_number_that_float32_does_not_have(tmp_path):
    opt = lrcore.SGD({"w": np.array([1e300, np.inf])})
    opt.save(tmp_path / "run")
    w = np.zeros(2, np.float32)
    said = message(
        partial(lrcore.SGD({"w": w}).load, dtype="convert"), tmp_path / "run"
    )
    assert said == (
        "params['w']: expected numbers in the range of float32, found 1e+300"
    )
    assert not w.any()


def test_the_memory_of_a_save_and_a_load(tmp_path):
    """Less than a fifth of one of six tensors, for a save and for a load."""
    n = 2_000_000
    w, other = np.ones(n), np.ones(n)
    path, tensor = tmp_path / "run", w.nbytes
    opt, again = (lrcore.Adam({"w": w, "o": other}) for _ in range(2))
    opt.save(path)  # imports what it needs
    tracemalloc.start()
    try:
        opt.save(path)
        assert tracemalloc.get_traced_memory()[1] < tensor / 5
        tracemalloc.reset_peak()
        again.load(path)
        assert tracemalloc.get_traced_memory()[1] < tensor / 5
    finally:
        tracemalloc.stop()


def test_a_file_replaced_while_it_is_loaded(tmp_path, monkeypatch):
    """The load goes on with the file that it has opened."""
    path = tmp_path / "run"
    stepped(begun(), 2).save(path)
    verify = lrcore.checkpoint._read.Opened.verify

    def replaced(file):
        verify(file)
        stepped(begun(), 1).save(path)

    monkeypatch.setattr(lrcore.checkpoint._read.Opened, "verify", replaced)
    assert bits(loaded(path)) == bits(stepped(begun(), 2))
