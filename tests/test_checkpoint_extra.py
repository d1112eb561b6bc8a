"""What is saved beside the optimizer: values come back, and objects go on."""

import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from saves import begun, stepped
from wrong import message

import lrcore
from lrcore.checkpoint import read

DTYPES = [
    *("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"),
    *("c8", "c16", ">i4", ">f8", ">c8"),
]
BITS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def test_values_come_back(tmp_path):
    values = {
        "none": None, "flags": [True, False],
        "numbers": [0, -1, 2**128, 0.1, -0.0, 5e-324],
        "odd": [math.inf, -math.inf], "text": "\udce4\0\"é", "tuple": (1, (2, [3])),
        "dict": {"a": {"b": []}, "$tuple": 1},
        "keys": {1: "a", (2, None): "b", 0.5: "c"},
        "empty": [{}, (), "", []], "$array": "x",
    }  # fmt: skip
    stepped(begun()).save(tmp_path / "run", extra={**values, "nan": math.nan})
    found = read(tmp_path / "run").extra
    assert math.isnan(found.pop("nan"))
    assert repr(found) == repr(values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_each_dtype_and_layout(dtype, tmp_path):
    whole = np.arange(24).reshape(2, 3, 4).astype(dtype)
    views = [
        whole,
        whole.T,
        whole[::-1, :, ::2],
        whole[0, 0, 0],
        whole[:0],
        whole[..., 1],
    ]
    given = dict(enumerate(views)) | {"number": whole[1, 2, 3]}
    begun().save(tmp_path / "run", extra={"arrays": given})
    for maps in (False, True):
        found = read(tmp_path / "run", mmap=maps).extra["arrays"]
        assert found.keys() == given.keys()
        for key, array in found.items():
            assert type(array) is type(given[key])
            assert array.dtype == np.dtype(dtype).newbyteorder("=")
            assert np.array_equal(array, given[key])


@pytest.mark.parametrize("bits", BITS)
def test_generators_go_on(bits, tmp_path):
    def made(seed):
        return {
            "new": np.random.Generator(getattr(np.random, bits)(seed)),
            "old": np.random.RandomState(getattr(np.random, bits)(seed)),
        }

    def drawn(some):
        each = [some["new"].normal(), some["new"].integers(9, dtype="i4")]
        return [*each, some["new"].random(dtype="f4"), some["old"].normal()]

    mine, others = made(0), made(1)
    drawn(mine)  # the old one keeps a second normal number
    opt = begun()
    opt.save(tmp_path / "run", extra=mine)
    new = opt.load(tmp_path / "run").extra
    opt.load(tmp_path / "run", extra=others)
    for _ in range(5):
        wanted = drawn(mine)
        assert drawn(new) == drawn(others) == wanted
    other = np.random.Generator(
        np.random.PCG64() if bits != "PCG64" else np.random.SFC64()
    )
    said = message(partial(opt.load, extra={"new": other}), tmp_path / "run")
    assert said.startswith(f"extra['new']: expected a Generator of '{bits}'")


def loop():
    """A loop with all that it can have beside its optimizer."""
    w = np.ones(2)
    opt = lrcore.SGD(w, lr=lambda t: 0.2, momentum=0.5, ema_decay=0.9, telemetry=True)
    seen = np.zeros(1, np.int64)
    return SimpleNamespace(w=w, opt=opt, extra={
        "stopping": lrcore.EarlyStopping(patience=500, params=w, smoothing=2),
        "scaler": lrcore.LossScaler(init_scale=8.0, growth_interval=7),
        "monitor": lrcore.Monitor(opt, on_divergence="rollback", also=seen),
        "noise": lrcore.GradientNoiseScale(small_batch_size=1, big_batch_size=2),
        "rng": np.random.default_rng(0),
        "seen": seen,
    })  # fmt: skip


def train(its, steps):
    found, extra = [], its.extra
    for _ in range(steps):
        noise = extra["rng"].normal(size=2) / 10
        loss = float((its.w**2).sum())
        extra["scaler"].step(its.opt, extra["scaler"].scale * (2 * its.w + noise))
        extra["monitor"].update(loss)
        extra["stopping"].update(loss)
        extra["noise"].update(2.0 + loss, 1.0)
        extra["seen"] += 1
        found.append((its.w.tolist(), extra["scaler"].scale, extra["seen"][0]))
    states = [extra[name].state_dict() for name in ("stopping", "noise", "scaler")]
    return repr([found, states, extra["monitor"].history, extra["monitor"].findings])


def test_a_whole_loop_goes_on_to_the_bit(tmp_path):
    """The monitor keeps the optimizer's states to go back to, with their function."""
    mine, other = loop(), loop()
    train(mine, 150)
    mine.opt.save(tmp_path / "run", extra=mine.extra)
    restored = other.opt.load(tmp_path / "run", extra=other.extra)
    assert all(restored.extra[name] is value for name, value in other.extra.items())
    assert train(mine, 150) == train(other, 150)
    kept = [each.extra["monitor"]._rollback.state_dict() for each in (mine, other)]
    assert repr(kept[0]).split("lr")[0] == repr(kept[1]).split("lr")[0]


def test_a_rollback_that_was_not_saved_begins_with_the_loaded_params(tmp_path):
    w = np.full(2, 5.0)
    opt = lrcore.SGD(w)
    opt.save(tmp_path / "run", extra={"monitor": lrcore.Monitor(opt)})
    w[:] = 0
    monitor = lrcore.Monitor(opt, on_divergence="rollback")
    opt.load(tmp_path / "run", extra={"monitor": monitor})
    assert (monitor._rollback._kept[0].params[0] == 5.0).all()


def test_plateaus_and_objects_without_their_own(tmp_path):
    plateau = lrcore.ReduceOnPlateau(0.5, factor=0.5, patience=0)
    plateau.update(1.0), plateau.update(2.0)
    opt = lrcore.SGD(np.ones(1), lr=plateau)
    given = {"plateau": plateau, "scaler": lrcore.LossScaler(4.0)}
    opt.save(tmp_path / "run", extra=given)
    found = read(tmp_path / "run").extra
    assert found["plateau"].state_dict() == plateau.state_dict()
    assert found["scaler"] == given["scaler"].state_dict()


def test_what_is_no_data_is_refused(tmp_path):
    cycle = []
    cycle += [cycle, cycle]
    deep = []
    for _ in range(211):
        deep = [deep]
    for value, said in {
        "object": "expected arrays, numbers", "bytes": "expected arrays, numbers",
        "function": "expected arrays, numbers", "texts": "expected an array of bools",
        "objects": "expected an array of bools", "times": "expected an array of bools",
        "masked": "found a masked array", "cycle": "found a container that contains it",
        "deep": "found more than 210 containers", "key": "expected keys of",
    }.items():  # fmt: skip
        wrong = {
            "object": object(), "bytes": b"", "function": max, "texts": np.array(["a"]),
            "objects": np.array([None]), "times": np.array(["2000-01-01"], "M8[D]"),
            "masked": np.ma.masked_array([1.0], [True]), "cycle": cycle, "deep": deep,
            "key": {b"": 1},
        }[value]  # fmt: skip
        text = message(partial(begun().save, extra={"x": [wrong]}), tmp_path / "run")
        assert text.startswith("extra['x'][0]")
        assert said in text
    assert [*tmp_path.iterdir()] == []


def test_what_is_given_must_fit(tmp_path):
    opt = begun()
    opt.save(tmp_path / "run", extra={"mean": np.ones(2), "epoch": 3})
    for given, said in [
        ({"men": np.ones(2)}, "extra: expected names of ['mean', 'epoch']"),
        ({"mean": np.ones(3)}, "extra['mean']: expected shape (3,), found (2,)"),
        ({"mean": np.ones(2, np.int8)}, "extra['mean']: expected dtype int8"),
        ({"mean": np.ones(2, "f4")}, "extra['mean']: expected dtype float32"),
        ({"epoch": np.ones(1)}, "extra['epoch']: expected what can continue"),
        ({"mean": lrcore.LossScaler()}, "extra['mean']: expected what can continue"),
        ({"epoch": 4}, "extra['epoch']: expected what can continue"),
    ]:
        text = message(partial(opt.load, extra=given), tmp_path / "run")
        assert text.startswith(said)
    mean = np.zeros(2, np.float32)
    opt.load(tmp_path / "run", extra={"mean": mean}, dtype="convert")
    assert mean.tolist() == [1.0, 1.0]
