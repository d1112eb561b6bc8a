"""Bad input raises before anything is written, and says what to mend."""

import copy

import numpy as np
import pytest
from helpers import KINDS, each_dtype, each_kind, placed, snapshot

import lrcore


def network(dtype="float32"):
    rng = np.random.default_rng(0)
    return {
        "first": {"W": rng.normal(size=(4, 3)).astype(dtype), "b": np.ones(3, dtype)},
        "last": [
            np.asfortranarray(rng.normal(size=(3, 5)).astype(dtype)),
            np.ones(7, dtype),
        ],
    }


def gradients(dtype="float32"):
    return {
        "first": {"W": np.full((4, 3), 0.5, dtype), "b": np.ones(3, dtype)},
        "last": [np.full((3, 5), 0.25, dtype, order="F"), np.ones(7, dtype)],
    }


def arrays_of(params):
    return [params["first"]["W"], params["first"]["b"], *params["last"]]


def everything(opt, params):
    """Bits of all params and states, and the step count."""
    states = [array for state in opt.state for array in state.values()]
    return snapshot(arrays_of(params) + states), opt.t


def misaligned(shape, dtype):
    raw = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 1, np.uint8)
    return raw[1:].view(dtype).reshape(shape)


def other_byte_order(a):
    return a.astype(a.dtype.newbyteorder())


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


# What the last gradient (seven ones) is replaced by, and what is said of it.
LAST = {
    "list": (lambda g, p: [1.0] * 7, TypeError, "found list"),
    "scalar": (lambda g, p: np.float32(1), TypeError, "found numpy.float32"),
    "float16": (lambda g, p: g.astype(np.float16), TypeError, "found float16"),
    "int": (lambda g, p: g.astype(np.int64), TypeError, "found int64"),
    "complex": (lambda g, p: g.astype(np.complex64), TypeError, "found complex64"),
    "object": (lambda g, p: g.astype(object), TypeError, "found object"),
    "other float": (
        lambda g, p: g.astype(np.float64 if g.dtype == np.float32 else np.float32),
        TypeError,
        "expected dtype float",
    ),
    "byte order": (lambda g, p: other_byte_order(g), TypeError, "foreign byte order"),
    "strided": (lambda g, p: np.repeat(g, 2)[::2], ValueError, "non-contiguous"),
    "reversed": (lambda g, p: g[::-1], ValueError, "non-contiguous"),
    "misaligned": (lambda g, p: misaligned((7,), g.dtype), ValueError, "misaligned"),
    "masked": (lambda g, p: np.ma.masked_array(g), TypeError, "masked array"),
    "longer": (lambda g, p: np.ones(8, g.dtype), ValueError, "expected shape"),
    "2-d": (lambda g, p: g.reshape(7, 1), ValueError, "expected shape"),
    "own parameter": (
        lambda g, p: p["last"][1],
        ValueError,
        "share memory with params",
    ),
}


@each_dtype
@pytest.mark.parametrize("case", LAST)
def test_a_bad_last_gradient_changes_nothing(case, dtype):
    refuses(lrcore.Adam, case, dtype)


@each_kind
def test_a_bad_last_gradient_changes_nothing_of_any_optimizer(name):
    """All have the same checks: of these the first, and the one that is made last."""
    refuses(KINDS[name], "list", "float32")
    refuses(KINDS[name], "own parameter", "float64")


def refuses(kind, case, dtype):
    spoil, error, text = LAST[case]
    params, grads = network(dtype), gradients(dtype)
    opt = kind(params)
    opt.step(grads)
    before = everything(opt, params)
    grads["last"][1] = spoil(grads["last"][1], params)
    with pytest.raises(error, match=r"grads\['last'\]\[1\].*" + text):
        opt.step(grads)
    assert everything(opt, params) == before
    assert opt.step(gradients(dtype))


def overlap_of(array, skew):
    """An array of the same kind that begins `skew` elements into this one's buffer."""
    return np.ndarray(array.shape, array.dtype, buffer=array.base, offset=skew)


@pytest.mark.parametrize(
    "what", ["another parameter", "a state", "the end of a parameter"]
)
def test_a_gradient_that_overlaps_the_optimizers_buffers(what):
    buffer = np.ones(14, np.float32)
    params = network()
    params["last"][1] = buffer[:7]
    opt = lrcore.Adam(params)
    opt.step(gradients())
    grads = gradients()
    if what == "another parameter":
        grads["last"][1] = params["first"]["W"].reshape(-1)[2:9]
        text = r"params\['first'\]\['W'\]"
    elif what == "a state":
        grads["last"][1] = opt.state[3]["v"]
        text = r"the state of params\['last'\]\[1\]"
    else:
        grads["last"][1] = buffer[6:13]
        text = r"params\['last'\]\[1\]"
    before = everything(opt, params)
    with pytest.raises(
        ValueError, match=r"grads\['last'\]\[1\].*share memory with " + text
    ):
        opt.step(grads)
    assert everything(opt, params) == before
    grads["last"][1] = buffer[7:]
    assert opt.step(grads)


def test_a_transposed_gradient_is_called_that():
    opt = lrcore.Adam(np.ones((2, 3)))
    with pytest.raises(ValueError, match="the shape of its transpose"):
        opt.step(np.ones((3, 2)))


def test_attributes_that_do_not_exist_cannot_be_set():
    opt = lrcore.Adam(np.ones(3))
    for name in ("momentum", "learning_rate", "v"):
        with pytest.raises(AttributeError, match=name):
            setattr(opt, name, 0.5)
    with pytest.raises(ValueError, match="t: expected an int >= 0, found -3"):
        opt.t = -3


def test_an_optimizer_is_not_copied_apart_from_its_arrays():
    with pytest.raises(TypeError, match=r"use copy\.deepcopy\(\(params, opt\)\)"):
        copy.copy(lrcore.Adam(np.ones(3)))


def test_a_gradient_of_the_other_memory_order():
    params, grads = network(), gradients()
    opt = lrcore.Adam(params)
    before = everything(opt, params)
    grads["last"][0] = np.ascontiguousarray(grads["last"][0])
    with pytest.raises(ValueError, match=r"grads\['last'\]\[0\].*memory order F"):
        opt.step(grads)
    assert everything(opt, params) == before


# --- structure ------------------------------------------------------------------------


def without(mapping, key):
    return {k: v for k, v in mapping.items() if k != key}


STRUCTURES = {
    "an array": (lambda g: np.ones(7, np.float32), TypeError, "grads: expected a dict"),
    "a list": (lambda g: list(g.values()), TypeError, "grads: expected a dict"),
    "None": (lambda g: None, TypeError, "grads: expected a dict"),
    "a missing key": (lambda g: without(g, "last"), ValueError, r"missing \['last'\]"),
    "an extra key": (lambda g: g | {"x": 1}, ValueError, r"extra \['x'\]"),
    "another key": (
        lambda g: {"first": g["first"], "lost": g["last"]},
        ValueError,
        r"extra \['lost'\] and missing \['last'\]",
    ),
    "a dict for a list": (
        lambda g: g | {"last": {0: 1, 1: 2}},
        TypeError,
        r"grads\['last'\]: expected a list or tuple",
    ),
    "a shorter list": (
        lambda g: g | {"last": g["last"][:1]},
        ValueError,
        r"missing \[1\]",
    ),
    "a longer list": (
        lambda g: g | {"last": [*g["last"], g["last"][0]]},
        ValueError,
        r"extra \[2\]",
    ),
    "an array for a dict": (
        lambda g: g | {"first": np.ones(3, np.float32)},
        TypeError,
        r"grads\['first'\]: expected a dict",
    ),
}


@pytest.mark.parametrize("case", STRUCTURES)
def test_gradients_of_another_structure(case):
    spoil, error, text = STRUCTURES[case]
    params = network()
    opt = lrcore.Adam(params)
    before = everything(opt, params)
    with pytest.raises(error, match=text):
        opt.step(spoil(gradients()))
    assert everything(opt, params) == before


def test_a_tuple_serves_as_a_list_of_gradients():
    params, grads = network(), gradients()
    grads["last"] = tuple(grads["last"])
    assert lrcore.Adam(params).step(grads)


# --- params that are no longer what they were -----------------------------------------


def rebind_array(params):
    params["first"]["W"] = params["first"]["W"] - 1


def rebind_list_entry(params):
    params["last"][1] = params["last"][1] * 2


def rebind_container(params):
    params["last"] = list(params["last"])


def remove(params):
    del params["first"]["b"]


def add(params):
    params["first"]["extra"] = np.ones(2, np.float32)


def lengthen(params):
    params["last"].append(np.ones(2, np.float32))


def shorten(params):
    params["last"].pop()


def lock(params):
    params["last"][1].flags.writeable = False


def resize(params):
    params["last"][1].resize(1_000_000, refcheck=False)


def retype(params):
    params["first"]["W"].dtype = np.int32


def reshape(params):
    params["first"]["W"].shape = (3, 4)


CHANGES = {
    rebind_array: r"params\['first'\]\['W'\]: found another object",
    rebind_list_entry: r"params\['last'\]\[1\]: found another object",
    rebind_container: r"params\['last'\]: found another object",
    remove: r"params\['first'\]: found missing \['b'\]",
    add: r"params\['first'\]: found extra \['extra'\]",
    lengthen: r"params\['last'\]: found extra \[2\]",
    shorten: r"params\['last'\]: found missing \[1\]",
    lock: r"params\['last'\]\[1\]: found a read-only array",
    resize: r"grads\['last'\]\[1\]: expected shape \(1000000,\)",
    retype: r"params\['first'\]\['W'\]: expected dtype float32 or float64, found int32",
    reshape: r"grads\['first'\]\['W'\]: expected shape \(3, 4\)",
}


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_parameter_is_named_at_the_next_step(change):
    params = network()
    held = arrays_of(params)
    opt = lrcore.AdamW(params)
    opt.step(gradients())
    change(params)
    arrays = [*held, *(a for state in opt.state for a in state.values())]
    before = snapshot(arrays)
    with pytest.raises((ValueError, TypeError), match=CHANGES[change]):
        opt.step(gradients())
    assert snapshot(arrays) == before
    assert opt.t == 1


def test_memory_moved_behind_the_same_shape():
    params = [np.ones(5, np.float32)]
    opt = lrcore.SGD(params, momentum=0.9)
    address = params[0].ctypes.data
    params[0].resize(2_000_000, refcheck=False)
    in_its_place = [np.ones(5, np.float32) for _ in range(1000)]
    params[0].resize(5, refcheck=False)
    assert params[0].ctypes.data != address, "the allocator gave the same place again"
    with pytest.raises(ValueError, match="memory was moved"):
        opt.step([np.ones(5, np.float32)])
    assert all((a == 1).all() for a in in_its_place)


# --- construction ---------------------------------------------------------------------

f4 = np.float32
PARAMS = {
    "list of numbers": ([1.0, 2.0], TypeError, r"params\[0\]: .* found float"),
    "None": (None, TypeError, "params: .* found None"),
    "generator": ((x for x in ()), TypeError, "found generator"),
    "dict.values()": ({}.values(), TypeError, "found dict_values; pass list"),
    "nothing": ([], ValueError, "params: found no array"),
    "nothing nested": ({"a": [], "b": {}}, ValueError, "params: found no array"),
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
    ({"lr": lrcore.schedules.Cosine}, TypeError, "lr: .*found <class"),
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
        (spoiled(t=-1), "t: expected an int >= 0"),
        (spoiled(t=1.5), "t: expected an int >= 0"),
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


def test_containers_that_change_while_they_are_looked_at():
    class Spiteful(dict):
        def __len__(self):
            grads.clear()
            return dict.__len__(self)

    grads = {}
    opt = lrcore.SGD({"x": Spiteful(a=np.ones(3), b=np.ones(3))})
    grads = {"x": {"a": np.ones(3), "b": np.ones(3)}}
    assert opt.step(grads)


def test_an_empty_gradient_overlaps_nothing():
    m = np.ones((4, 5))
    opt = lrcore.SGD({"a": m, "b": np.ones((0, 5))})
    assert opt.step({"a": m * 1, "b": m[2:][:0]})


def test_placed_arrays_of_any_alignment_are_taken():
    params = [placed((5, 3), "float32", offset) for offset in range(16)]
    grads = [placed((5, 3), "float32", offset) for offset in range(16)]
    assert lrcore.Adam(params).step(grads)
