"""What an optimizer does with params, groups, schedules and its own state."""

import numpy as np
import pytest
from helpers import (
    KINDS,
    each_dtype,
    each_path,
    each_row,
    make,
    ordinary,
    random_like,
    same_bits,
)
from table import ROWS

import lrcore
from lrcore import _core, reference
from lrcore._shared.sums import in_order
from lrcore.schedules import Constant, Cosine

pytestmark = pytest.mark.isa


SHAPES = [(5, 3), (2, 4), (), (0, 3)]


def start(dtype="float64"):
    return tree(random_like([np.empty(shape, dtype) for shape in SHAPES], 0))


def tree(arrays):
    return {"W": arrays[0], "layers": arrays[1:3], "none": arrays[3]}


def leaves(params):
    return [params["W"], *params["layers"], params["none"]]


def gradients(params, t):
    """A deterministic function of the step."""
    return tree(random_like(leaves(params), 1000 + t))


def part_of(opt, p):
    """What an array of the first group is stepped by."""
    parts = opt.param_groups[0].parts
    return next(part for part in parts if part.kind is opt._kind_of(p))


def numbers_of(part, t, items, states):
    """What coefs gives, and what the numbers carried become, by name; and Mechanic's.

    items: (p, g, states) of the arrays that have them in common.
    """
    f, names = part.folded, part.carries
    if not (names or part.gauge):
        return f.coefs(t, f.lr, f.decay), {}, None
    now = () if f.tune else tuple(float(states[name]) for name in names)
    sums = ()
    if part.gauge:
        coefs = (f.gscale, f.l2, *(f.gauge(t, f.lr, now) if f.gauge else ()))
        read = _core.GAUGES[part.gauge].arrays
        each = [
            reference.read_gauge(part.gauge, p, g, [s[name] for name in read], coefs)
            for p, g, s in items
        ]
        sums = tuple(in_order(values) for values in zip(*each, strict=True))
    if "gathered_loss" in names:
        sums += (1.0,)  # what it is told
    if f.tune:
        carried, tuned = f.tune(states["mechanic"], sums)
        carried = np.frombuffer(carried).reshape(4, 6)
        return f.coefs(t, f.lr, f.decay), {"mechanic": carried}, tuned
    carried, numbers, _ = f.coefs(t, f.lr, f.decay, now, sums)
    return numbers, dict(zip(names, carried, strict=True)), None


def reference_step(part, t, p, g, states, numbers, tuned):
    """Take step t of a part by the reference; states by name."""
    f = part.folded
    numbers = (f.gscale, f.l2, *numbers)
    rule, scale = _core.RULES[part.rule], _core.SCALES[part.scale]
    if part.factoring:
        sides = [side for side, _ in part.sides(p, states)]
        g, new = reference.unfactor(part.factoring, g, sides, f.factor(t))
        for array, value in zip(sides, new, strict=True):
            array[...] = value
    own = [states[name] for name in rule.states]
    name = part.rule
    if f.direct is not None:  # of the rule's directions; a step of sgd by the result
        u = np.zeros_like(p)
        reference.step(name, u, g, own, (1.0, 0.0, 1.0, -1.0, *numbers[4:]))
        f.direct([u], {})
        name, g, own, numbers = "sgd", u, [], numbers[:4]
    if tuned:
        reference.mechanic_begin(p, *(states[name] for name in _core.MECHANIC), tuned)
    if part.scale:
        own += [states[name] for name in scale.states]
        reference.scaled_step(part.scale, f.scale(t), part.rule, p, g, own, numbers)
    else:
        reference.step(name, p, g, own, numbers)
    if tuned:
        reference.mechanic(p, *(states[name] for name in _core.MECHANIC), tuned)
    for k, name in enumerate(part.averages):
        reference.average(
            states[name], p, f.weights(t)[k], pulls=name in part.kind._PULLS
        )


@each_row
@each_dtype
def test_every_optimizer_is_its_rule_with_its_numbers(row, dtype):
    """step() over nested params == reference.step() with the group's folded numbers."""
    params, twin = start(dtype), start(dtype)
    opt = make(row, params, weight_decay=0.1, l2=0.01, maximize=True)
    states = [{name: s.copy() for name, s in state.items()} for state in opt.state]
    for t in range(1, 6):
        grads = gradients(params, t)
        assert opt.step(grads) is True
        items = list(zip(leaves(twin), leaves(grads), states, strict=True))
        found = [
            numbers_of(
                part_of(opt, p), t, [item] if opt._carries_per_array else items, s
            )
            for item in items
            for p, _, s in [item]
        ]
        for (p, g, s), (numbers, carried, tuned) in zip(items, found, strict=True):
            reference_step(part_of(opt, p), t, p, g, s, numbers, tuned)
            for name, value in carried.items():
                s[name][...] = value
    assert opt.t == 5
    assert all(
        same_bits(a, b) for a, b in zip(leaves(params), leaves(twin), strict=True)
    )
    for state, wanted in zip(opt.state, states, strict=True):
        for name in state.keys() - {"u"}:  # scratch
            assert same_bits(state[name], wanted[name])


@each_path
@each_dtype
def test_states_have_the_dtype_shape_and_layout_of_their_parameter(row, dtype):
    params = [np.ones((3, 4), dtype, order="F"), np.ones((), dtype)]
    opt = make(row, params)
    for p, state in zip(params, opt.state, strict=True):
        part = part_of(opt, p)
        own = _core.RULES[part.rule].states + part.averages
        assert set(own) <= set(state)
        for name in own:
            assert (state[name].dtype, state[name].shape) == (p.dtype, p.shape)
            assert state[name].flags.f_contiguous


@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
def test_states_of_large_arrays_lie_apart_within_the_page(dtype, order):
    p = np.zeros((700, 800), dtype, order=order)
    opt = lrcore.Adam(p, amsgrad=True)
    places = [(a.ctypes.data - p.ctypes.data) % 4096 for a in opt.state[0].values()]
    to_line = -p.ctypes.data % 64  # bytes from p to the next cache line
    assert places == [1024 + to_line, 2048 + to_line, 3072 + to_line]
    for a in opt.state[0].values():
        assert (a.shape, a.dtype, a.strides) == (p.shape, p.dtype, p.strides)
        assert a.flags.aligned
        assert not a.any()


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3), (3, 1, 2)])
def test_single_arrays_of_any_shape(shape):
    p = np.full(shape, 2.0)
    opt = lrcore.SGD(p, lr=0.5)
    assert opt.step(np.ones(shape))
    assert (p == 1.5).all()


def test_float32_and_float64_side_by_side():
    params = [np.ones(3, np.float32), np.ones(3)]
    lrcore.SGD(params, lr=0.1).step([np.ones(3, np.float32), np.ones(3)])
    assert params[0].tolist() == (np.ones(3, np.float32) - np.float32(0.1)).tolist()
    assert params[1].tolist() == [0.9] * 3


def test_a_subclass_of_ndarray(tmp_path):
    p = np.memmap(tmp_path / "weights", np.float32, "w+", shape=(4,))
    lrcore.SGD(p, lr=1.0).step(np.ones(4, np.float32))
    assert p.tolist() == [-1] * 4


# --- weight decay, groups -------------------------------------------------------------


def after_one_step(kind, **kwargs):
    p = np.array([2.0])
    kind(p, lr=0.1, **kwargs).step(np.array([0.5]))
    return p[0]


def test_weight_decay_is_coupled_or_decoupled_as_the_class_and_the_user_say():
    coupled = after_one_step(lrcore.SGD, weight_decay=0.3)
    assert coupled == pytest.approx(2 - 0.1 * (0.5 + 0.3 * 2), rel=1e-15)
    assert after_one_step(lrcore.SGD, l2=0.3) == coupled
    assert after_one_step(lrcore.SGD, l2=0.1, weight_decay=0.2) == pytest.approx(
        coupled
    )
    decoupled = after_one_step(
        lrcore.SGD, weight_decay=0.3, decoupled_weight_decay=True
    )
    assert decoupled == pytest.approx(2 * (1 - 0.1 * 0.3) - 0.1 * 0.5, rel=1e-15)
    assert after_one_step(
        lrcore.AdamW, weight_decay=0.3, decoupled_weight_decay=False
    ) == after_one_step(lrcore.Adam, weight_decay=0.3)
    assert after_one_step(
        lrcore.Adam, weight_decay=0.3, decoupled_weight_decay=True
    ) == after_one_step(lrcore.AdamW, weight_decay=0.3)


def test_maximize_ascends():
    assert after_one_step(lrcore.SGD, maximize=True) == pytest.approx(2 + 0.1 * 0.5)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if not KINDS[row.name]._sums_all],
    ids=lambda row: row.label,
)
def test_groups_step_as_optimizers_of_their_own(row):
    rng = np.random.default_rng(0)
    arrays = [ordinary(rng, n, "float64") for n in (5, 6, 7)]
    twins = [a.copy() for a in arrays]
    grouped = make(
        row,
        [
            {"params": {"W": arrays[0]}, "lr": 0.03, "weight_decay": 0.5},
            {"params": arrays[1:], "maximize": True},
        ],
    )
    apart = [
        make(row, {"W": twins[0]}, lr=0.03, weight_decay=0.5),
        make(row, twins[1:], maximize=True),
    ]
    for _ in range(3):
        g = [ordinary(rng, n, "float64") for n in (5, 6, 7)]
        grouped.step([{"W": g[0]}, g[1:]])
        apart[0].step({"W": g[0]})
        apart[1].step(g[1:])
    assert all(same_bits(a, b) for a, b in zip(arrays, twins, strict=True))
    assert grouped.param_groups[0]["params"]["W"] is arrays[0]


def test_groups_may_ask_for_different_rules():
    p = [np.zeros(2), np.zeros(2)]
    opt = lrcore.SGD([{"params": p[0]}, {"params": p[1], "momentum": 0.5}], lr=1.0)
    for _ in range(2):
        opt.step([np.ones(2), np.ones(2)])
    assert [list(state) for state in opt.state] == [[], ["m"]]
    assert (p[0][0], p[1][0]) == (-2.0, -2.5)


# --- schedules and the learning rate --------------------------------------------------


def test_lr_is_readable_and_settable():
    opt = lrcore.SGD(p := np.zeros(1), lr=0.1)
    assert opt.lr == 0.1
    opt.lr = 0.5
    opt.step(np.ones(1))
    assert p[0] == -0.5
    opt.lr = Constant(2.0)
    assert opt.lr == 2.0
    opt.step(np.ones(1))
    assert p[0] == -2.5
    with pytest.raises(ValueError, match="lr: expected"):
        opt.lr = -1
    assert opt.lr == 2.0


def test_setting_lr_sets_it_in_all_groups():
    opt = lrcore.SGD([{"params": np.zeros(1)}, {"params": np.zeros(1), "lr": 3.0}])
    assert opt.lr == 1e-3
    with pytest.warns(UserWarning, match="now have the same one"):
        opt.lr = 0.25
    assert [group["lr"] for group in opt.param_groups] == [0.25, 0.25]


def test_a_schedule_is_called_with_the_steps_taken_before():
    seen = []

    def lr(t):
        seen.append(t)
        return 0.1

    opt = lrcore.SGD(np.zeros(1), lr=lr)
    for _ in range(3):
        opt.step(np.ones(1))
    assert seen == [0, 1, 2]


@each_path
def test_scheduled_numbers_are_numbers_set_by_hand(row):
    """By schedule == the same values set before each step."""
    one, two = start(), start()
    lr = Cosine(row.kwargs["lr"], total=10)
    by_schedule = {"lr": lr, "weight_decay": lambda t: 0.01 * t}
    if row.kwargs.get("momentum"):
        by_schedule["momentum"] = lambda t: 0.5 + 0.01 * t
    if len(betas := row.kwargs.get("betas", ())) == 2 or row.name.startswith("Adam"):
        by_schedule["betas"] = (lambda t: 0.9 - 0.01 * t, 0.99)
    elif len(betas) == 3:
        by_schedule["betas"] = (lambda t: 0.9 - 0.01 * t, *betas[1:])
    scheduled = make(row, one, **by_schedule)
    by_hand = make(row, two)
    for t in range(6):
        for name, value in by_schedule.items():
            now = value(t) if callable(value) else (value[0](t), *value[1:])
            by_hand.param_groups[0][name] = now
        assert scheduled.lr == by_hand.lr == lr(t)
        scheduled.step(gradients(one, t))
        by_hand.step(gradients(two, t))
    assert all(same_bits(a, b) for a, b in zip(leaves(one), leaves(two), strict=True))


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("SGD", {}),
        ("SGD", {"lr_in_momentum": True}),
        ("LARS", {}),
        ("RMSprop", {}),
        ("RMSprop", {"lr_in_momentum": True, "centered": True}),
        ("SM3", {}),
    ],
)
def test_a_momentum_that_is_0_for_a_while(name, flags):
    """A schedule's 0 is the limit of small numbers, not what was there before."""
    params = [np.ones((2, 3)), np.ones((2, 3))]
    for p, off in zip(params, (0.0, 1e-300), strict=True):
        schedule = lambda t, off=off: 0.9 if t in (2, 3) else off  # noqa: E731
        opt = getattr(lrcore, name)(p, lr=0.1, momentum=schedule, **flags)
        for t in range(7):
            opt.step(ordinary(np.random.default_rng(t), (2, 3), "float64"))
    assert same_bits(*params)


# --- state ----------------------------------------------------------------------------


@each_path
@each_dtype
def test_a_run_continues_from_its_state_to_the_bit(row, dtype):
    straight, broken = start(dtype), start(dtype)
    one, two = make(row, straight), make(row, broken)
    for t in range(4):
        one.step(gradients(straight, t))
        two.step(gradients(broken, t))
    saved = two.state_dict()
    two.step(gradients(broken, 99))  # what was saved is a copy
    restored = tree([p.copy() for p in leaves(straight)])
    three = make(row, restored, lr=0.5)
    three.load_state_dict(saved)
    assert (three.t, three.lr) == (4, row.kwargs["lr"])
    for t in range(4, 8):
        one.step(gradients(straight, t))
        three.step(gradients(restored, t))
    assert all(
        same_bits(a, b) for a, b in zip(leaves(straight), leaves(restored), strict=True)
    )
