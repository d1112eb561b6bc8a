"""Bad params, hyper-parameters, arguments of kernels and saved states are refused."""

import numpy as np
import pytest
from helpers import each_dtype, snapshot
from network import everything, gradients, misaligned, network, read_only

import lrcore

# --- construction ---------------------------------------------------------------------

f4 = np.float32
PARAMS = {
    "list of numbers": ([1.0, 2.0], TypeError, r"params\[0\]: .* found float"),
    "None": (None, TypeError, "params: .* found None"),
    "generator": ((x for x in ()), TypeError, "found generator"),
    "dict.values()": ({}.values(), TypeError, "found dict_values; pass list"),
    "nothing": ([], ValueError, "at least one array"),
    "nothing nested": ({"a": [], "b": {}}, ValueError, "at least one array"),
    "one group": ({"params": np.ones(3), "lr": 1}, TypeError, "groups come in a list"),
    "float16": (np.ones(3, np.float16), TypeError, "params: .*float16"),
    "int": (np.ones(3, int), TypeError, "params: .*int64"),
    "complex": (np.ones(3, complex), TypeError, "params: .*complex128"),
    "longdouble": (np.ones(3, np.longdouble), TypeError, "params: expected dtype"),
    "byte order": (np.ones(3, ">f4"), TypeError, "foreign byte order"),
    "structured": (np.ones(3, "f4,f4"), TypeError, "params: expected dtype"),
    "strided": (np.ones(6, f4)[::2], ValueError, "non-contiguous"),
    "block": (
        {"W": np.ones((4, 4), f4)[:2, :2]},
        ValueError,
        r"params\['W'\].*non-cont",
    ),
    "broadcast": (np.broadcast_to(f4(1), (3,)), ValueError, "non-contiguous"),
    "misaligned": (misaligned((3,), f4), ValueError, "misaligned"),
    "read-only": ([read_only(np.ones(3, f4))], ValueError, r"params\[0\].*read-only"),
    "masked": (np.ma.masked_array(np.ones(3, f4)), TypeError, "masked array"),
    "twice": ([a := np.ones(3, f4), a], ValueError, r"params\[1\].*params\[0\]"),
    "views": ([a[:2], a[1:]], ValueError, "share memory"),
}


@pytest.mark.parametrize("case", PARAMS)
def test_params_that_cannot_be_stepped(case):
    params, error, text = PARAMS[case]
    with pytest.raises(error, match=text):
        lrcore.Adam(params)


def test_a_container_within_itself():
    params = [np.ones(3, f4)]
    params.append(params)
    with pytest.raises(ValueError, match=r"params\[1\].*contains itself"):
        lrcore.Adam(params)


HYPER = [
    ({"lr": -0.1}, ValueError, "lr: expected a finite number >= 0, found -0.1"),
    ({"lr": float("nan")}, ValueError, "lr: .*found nan"),
    ({"lr": float("inf")}, ValueError, "lr: .*found inf"),
    ({"lr": 10**400}, ValueError, "lr: expected a finite number"),
    ({"lr": "fast"}, TypeError, "lr: .*found 'fast'"),
    ({"lr": None}, TypeError, "lr: .*found None"),
    ({"lr": "0.1"}, TypeError, "lr: .*found '0.1'"),
    ({"lr": True}, TypeError, "lr: .*found True"),
    ({"lr": lrcore.schedules.Cosine}, TypeError, "lr: .*found the class Cosine"),
    ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]: expected a number in \[0, 1\)"),
    ({"betas": (-0.1, 0.9)}, ValueError, r"betas\[0\]"),
    ({"betas": 0.9}, ValueError, "betas: expected 2 numbers, found 0.9"),
    ({"betas": (0.9, 0.99, 0.999)}, ValueError, "betas: expected 2 numbers"),
    ({"eps": -1e-8}, ValueError, "eps"),
    ({"weight_decay": -1}, ValueError, "weight_decay"),
    ({"l2": float("nan")}, ValueError, "l2"),
    ({"amsgrad": "yes"}, TypeError, "amsgrad: expected True or False"),
    ({"maximize": 2}, TypeError, "maximize"),
    ({"num_threads": 0}, ValueError, "num_threads: expected an int >= 1"),
    ({"num_threads": 1.5}, TypeError, "num_threads"),
    ({"denormals": "drop"}, ValueError, "denormals: expected one of 'flush', 'keep'"),
    ({"momentum": 0.9}, TypeError, "unexpected keyword 'momentum'"),
]


@pytest.mark.parametrize(("kwargs", "error", "text"), HYPER, ids=str)
def test_hyper_parameters_out_of_their_domain(kwargs, error, text):
    p = np.ones(3, f4)
    with pytest.raises(error, match=text):
        lrcore.Adam(p, **kwargs)
    if kwargs.keys() <= {"num_threads", "denormals", "momentum"}:
        return
    opt = lrcore.Adam(p)
    held = dict(opt.param_groups[0])
    with pytest.raises(error, match=text):
        opt.param_groups[0].update(kwargs)
    assert dict(opt.param_groups[0]) == held


def test_nesterov_needs_momentum_without_dampening():
    p = np.ones(3, f4)
    for kwargs in ({}, {"momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValueError, match="nesterov: needs a momentum"):
            lrcore.SGD(p, nesterov=True, **kwargs)


@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf"), "x", None, max])
def test_a_schedule_that_returns_no_rate(value):
    params = network()
    opt = lrcore.AdamW(params, lr=lambda t: 0.1 if t == 0 else value)
    opt.step(gradients())
    before = everything(opt, params)
    with pytest.raises((ValueError, TypeError), match="lr: expected"):
        opt.step(gradients())
    assert everything(opt, params) == before


def test_a_schedule_that_raises():
    params = network()

    def lr(t):
        raise RuntimeError("out of rates")

    opt = lrcore.AdamW(params, lr=lr)
    before = everything(opt, params)
    with pytest.raises(RuntimeError, match="out of rates"):
        opt.step(gradients())
    assert everything(opt, params) == before


def test_groups():
    w = np.ones(3, f4)
    with pytest.raises(TypeError, match=r"params\[0\]: unexpected keyword 'rate'"):
        lrcore.Adam([{"params": w, "rate": 0.1}])
    with pytest.raises(TypeError, match=r"params\[1\]: expected a group"):
        lrcore.Adam([{"params": w}, {"W": w}])
    with pytest.raises(ValueError, match=r"params\[1\].*share memory with params\[0\]"):
        lrcore.Adam([{"params": w}, {"params": w}])
    opt = lrcore.Adam([{"params": w}, {"params": [np.ones(2, f4)]}])
    with pytest.raises(TypeError, match=r"grads\[1\]: expected a list or tuple"):
        opt.step([np.ones(3, f4), np.ones(2, f4)])
    with pytest.raises(ValueError, match=r"grads: .*missing \[1\]"):
        opt.step([np.ones(3, f4)])
    with pytest.raises(TypeError):
        opt.param_groups[0] = opt.param_groups[1]


def test_params_rebound_in_a_group():
    groups = [{"params": np.ones(3)}, {"params": [np.ones(2)]}]
    opt = lrcore.Adam(groups)
    grads = [np.ones(3), [np.ones(2)]]
    opt.step(grads)
    groups[0]["params"] = groups[0]["params"] - 1
    with pytest.raises(ValueError, match=r"params\[0\]\['params'\]: found another"):
        opt.step(grads)


@each_dtype
@pytest.mark.parametrize("other", ["i", "c", ">"])
@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
def test_a_parameter_retyped_in_place(other, dtype):
    p = np.ones(4, dtype)
    size = p.itemsize
    kinds = {"i": f"i{size}", "c": "c8", ">": p.dtype.newbyteorder()}
    opt = lrcore.SGD(p)
    p.dtype = kinds[other]
    g = np.zeros_like(p)
    before = p.tobytes()
    for grads in (g, g.view(dtype)):
        with pytest.raises((TypeError, ValueError), match=r"params|grads"):
            opt.step(grads)
    assert p.tobytes() == before


def test_what_a_group_cannot_become():
    opt = lrcore.SGD(np.ones(3, f4))
    with pytest.raises(ValueError, match="momentum: asks for the states of"):
        opt.param_groups[0]["momentum"] = 0.9
    with pytest.raises(KeyError, match="no hyper-parameter"):
        opt.param_groups[0]["beta"] = 0.9
    with pytest.raises(TypeError, match="cannot be deleted"):
        del opt.param_groups[0]["lr"]
    opt = lrcore.Adagrad(np.ones(3, f4))
    with pytest.raises(ValueError, match="used at construction only"):
        opt.param_groups[0]["initial_accumulator_value"] = 1.0
    with pytest.raises(TypeError, match="initial_accumulator_value"):
        lrcore.Adagrad(np.ones(3, f4), initial_accumulator_value=lambda t: 1.0)


# --- kernels --------------------------------------------------------------------------

KERNEL = {
    "too few states": (lambda a: a[:3], TypeError, r"expected 2 \(m, v\), found 1"),
    "too many states": (lambda a: [*a, np.ones(5, f4)], TypeError, "found 3"),
    "list p": (lambda a: [[1.0] * 5, *a[1:]], TypeError, "p: .*found list"),
    "int p": (lambda a: [np.ones(5, int), *a[1:]], TypeError, "p: expected dtype"),
    "strided p": (
        lambda a: [np.ones(10, f4)[::2], *a[1:]],
        ValueError,
        "p: .*non-cont",
    ),
    "read-only p": (lambda a: [read_only(a[0]), *a[1:]], ValueError, "p: .*read-only"),
    "short g": (lambda a: [a[0], a[1][:4], *a[2:]], ValueError, "g: expected shape"),
    "float64 g": (lambda a: [a[0], np.ones(5), *a[2:]], TypeError, "g: expected dtype"),
    "g is p": (lambda a: [a[0], a[0], *a[2:]], ValueError, "share memory"),
    "v is m": (lambda a: [*a[:3], a[2]], ValueError, "share memory"),
    "read-only v": (lambda a: [*a[:3], read_only(a[3])], ValueError, "v: .*read-only"),
    "masked m": (lambda a: [*a[:2], np.ma.array(a[2]), a[3]], TypeError, "m: .*masked"),
    "float64 m": (lambda a: [*a[:2], np.ones(5), a[3]], TypeError, "m: expected dtype"),
}


@pytest.mark.parametrize("case", KERNEL)
def test_bad_arguments_of_a_kernel(case):
    spoil, error, text = KERNEL[case]
    arrays = [np.ones(5, f4) for _ in range(4)]
    before = snapshot(arrays)
    with pytest.raises(error, match=text):
        lrcore.kernels.adam(*spoil(arrays), t=1)
    assert snapshot(arrays) == before


@pytest.mark.parametrize("t", [0, -1, 1.0, None, True])
def test_a_kernels_step_counts_from_1(t):
    with pytest.raises(
        (ValueError, TypeError), match="t: expected the number of this step"
    ):
        lrcore.kernels.sgd(np.ones(2), np.ones(2), t=t)


def test_hyper_parameters_of_a_kernel():
    p, g = np.ones(2), np.ones(2)
    with pytest.raises(TypeError, match="unexpected keyword 'initial_acc"):
        lrcore.kernels.adagrad(p, g, g, t=1, initial_accumulator_value=1.0)
    with pytest.raises(ValueError, match="lr: expected"):
        lrcore.kernels.sgd(p, g, t=1, lr=-1)
    with pytest.raises(TypeError, match="unexpected keyword 'rate'"):
        lrcore.kernels.sgd(p, g, t=1, rate=1)
    with pytest.raises(TypeError, match="a kernel takes numbers"):
        lrcore.kernels.sgd(p, g, t=1, lr=lambda t: 0.1)
    with pytest.raises(AttributeError, match="no 'adamx'; there are"):
        _ = lrcore.kernels.adamx
    assert p.tolist() == [1, 1]


# --- the process ----------------------------------------------------------------------


def test_instruction_sets_and_threads():
    held = lrcore.get_isa()
    with pytest.raises(ValueError, match=r"isa: expected one of .*found 'sse9'"):
        lrcore.set_isa("sse9")
    assert lrcore.get_isa() == held
    for n, error in (
        (0, ValueError),
        (-1, ValueError),
        (2.0, TypeError),
        ("2", TypeError),
    ):
        with pytest.raises(error, match="num_threads: expected an int >= 1"):
            lrcore.set_num_threads(n)
    with pytest.raises(ValueError, match="mode: expected"):
        lrcore.show_config("xml")


def test_state_of_another_optimizer():
    params = network()
    opt = lrcore.Adam(params)
    opt.step(gradients())
    good = opt.state_dict()

    def spoiled(**change):
        return {**good, **change}

    wrong_shape = [{**s, "m": s["m"][:1]} for s in good["state"]]
    wrong_dtype = [{**s, "v": s["v"].astype(np.float64)} for s in good["state"]]
    other_hyper = [{**good["param_groups"][0], "lr": -1.0}]
    cases = [
        ({}, "saved: expected a state_dict"),
        (None, "saved: expected a state_dict"),
        (spoiled(version=0), "version: expected 1, found 0"),
        (spoiled(gathered=1), "gathered: expected less than accumulate = 1, found 1"),
        (spoiled(options={}), r"options: expected \['grad_scale'.*found \[\]"),
        *(
            (spoiled(options={**good["options"], name: value}), f"{name}: ")
            for name, value in {
                "denormals": "drop",
                "clip_norm": -1.0,
                "accumulate": 2,
                "skip_nonfinite": None,
            }.items()
        ),
        (spoiled(optimizer="SGD"), "expected the state of Adam, found that of SGD"),
        (spoiled(t=-1), "t: expected a number of steps, an int >= 0"),
        (spoiled(t=1.5), "t: expected a number of steps, an int >= 0"),
        (spoiled(names=["W"]), "names: expected"),
        (spoiled(state=good["state"][:1]), "state: expected 4 entries, found 1"),
        (
            spoiled(state=[{} for _ in range(4)]),
            r"expected arrays \['m', 'v'\], found \[\]",
        ),
        (spoiled(state=wrong_shape), "m: expected shape"),
        (spoiled(state=wrong_dtype), "v: expected dtype float32, found float64"),
        (spoiled(state=[1, 2, 3, 4]), r"expected arrays \['m', 'v'\], found 1"),
        (spoiled(param_groups=[3]), r"param_groups: expected \['lr'.*found 3"),
        (spoiled(param_groups=[]), "param_groups: expected 1, found 0"),
        (spoiled(param_groups=[{}]), r"param_groups: expected \['lr'"),
        (spoiled(param_groups=other_hyper), "lr: expected a finite number"),
        (
            spoiled(param_groups=[{**good["param_groups"][0], "amsgrad": True}]),
            "param_groups: asks for the states of 'amsgrad'",
        ),
    ]
    opt.step(gradients())
    before, groups = everything(opt, params), [dict(g) for g in opt.param_groups]
    for state, text in cases:
        with pytest.raises((ValueError, TypeError), match=text):
            opt.load_state_dict(state)
        assert everything(opt, params) == before
        assert [dict(g) for g in opt.param_groups] == groups


def test_loading_into_a_read_only_state_changes_nothing():
    opt = lrcore.SGD([np.ones(3), np.ones(3)], momentum=0.9)
    saved = {**opt.state_dict(), "t": 77}
    opt.state[1]["m"].flags.writeable = False
    with pytest.raises(ValueError, match=r"state of params\[1\]: m is read-only"):
        opt.load_state_dict(saved)
    assert opt.t == 0


def test_loading_what_shares_memory_with_the_states():
    opt = lrcore.Adam(np.ones(3))
    opt.step(np.full(3, 0.5))
    m, v = (a.copy() for a in opt.state[0].values())
    swapped = [{"m": opt.state[0]["v"], "v": opt.state[0]["m"]}]
    opt.load_state_dict({**opt.state_dict(), "state": swapped})
    assert (opt.state[0]["m"] == v).all()
    assert (opt.state[0]["v"] == m).all()
