"""The files of checkpoints: other readers, all versions, maps."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from golden.make_checkpoint import begun, made
from helpers import same_bits
from wrong import message

import lrcore
from lrcore.checkpoint import _layout, _read, read

GOLDEN = Path(__file__).with_name("golden")


def test_the_safetensors_package_reads_what_is_written(tmp_path):
    params, opt, extra = made()
    opt.save(tmp_path / "run", extra=extra)
    found = safetensors.numpy.load_file(tmp_path / "run")
    assert same_bits(found["params.w"], params["w"])
    assert same_bits(found["params.layers.0.b"], params["layers"][0]["b"])
    assert same_bits(found["state.w.m"], opt.state[0]["m"])
    assert same_bits(found["state.w.ema"], opt.state[0]["ema"])
    assert same_bits(found["extra.mean"], extra["mean"])
    with safetensors.safe_open(tmp_path / "run", "numpy") as file:
        metadata = file.metadata()
        assert metadata["format"] == "lrcore checkpoint"
        assert (metadata["version"], metadata["step"]) == (str(_read.VERSION), "2")
        assert found.keys() == {*file.keys()}


def test_what_the_safetensors_package_writes_is_read(tmp_path):
    arrays = {
        dtype: np.arange(6).reshape(2, 3).astype(dtype) for dtype in [*"?bBhHiIlLefd"]
    }
    arrays |= {"empty": np.zeros((0, 3)), "number": np.array(1.5)}
    safetensors.numpy.save_file(arrays, tmp_path / "arrays", metadata={"a": "b"})
    for maps in (False, True):
        found = read(tmp_path / "arrays", mmap=maps)
        assert (found.step, found.state, found.extra) == (None, {}, {})
        assert found.params.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found.params[name].dtype == array.dtype
            assert np.array_equal(found.params[name], array)


@pytest.mark.parametrize("version", range(1, _read.VERSION + 1))
def test_a_golden_checkpoint_loads(version, tmp_path):
    """Each version of the format has a file, which never changes."""
    path = shutil.copy(GOLDEN / f"checkpoint-{version}.safetensors", tmp_path)
    params, opt, extra = begun()
    restored = opt.load(path, extra=extra)
    wanted, wanted_opt, wanted_extra = made()
    assert params["w"].tolist() == [[-1.0] * 3] * 2 == wanted["w"].tolist()
    assert params["layers"][0]["b"].tolist() == [-2.0, -2.0]
    assert (opt.t, restored.step, restored.extra["epoch"]) == (2, 2, 3)
    assert restored.extra["history"] == [(1, 2.0), (2, float("inf"))]
    assert repr(opt.state_dict()) == repr(wanted_opt.state_dict())
    plateau = opt.param_groups[0]["lr"]
    assert (plateau.scale, plateau.best, opt.lr) == (0.5, 1.0, 0.25)
    for name in ("stopping", "scaler"):
        assert repr(extra[name].state_dict()) == repr(wanted_extra[name].state_dict())
    assert extra["scaler"].scale == 4.0
    assert extra["mean"].tolist() == [0.25, 0.25]
    assert extra["rng"].integers(2**60) == wanted_extra["rng"].integers(2**60)


def test_numbers_are_little_endian_in_the_file(tmp_path):
    """On a machine with the other byte order, too, where `_native` turns them."""
    lrcore.SGD(np.array([1.0])).save(tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    assert data.count(np.array([1.0], "<f8").tobytes()) == 1
    turned = _read._native(np.array([1.0, 2.0], np.dtype("f8").newbyteorder("S")))
    assert turned.dtype.isnative
    assert turned.tolist() == [1.0, 2.0]


def test_mapped_arrays(tmp_path):
    """They are read-only and aligned, and stay when the file is replaced."""
    extra = {name: np.ones(3, name) for name in ("?", "f2", "i4", "f8")}
    opt = lrcore.Adam({"a": np.ones(3, np.float32), "b": np.ones(5)})
    opt.save(tmp_path / "run", extra=extra)
    found = read(tmp_path / "run", mmap=True)
    arrays = {**found.params, **found.state, **found.extra}
    assert len(arrays) == 10
    for array in arrays.values():
        assert array.flags.aligned
        assert not array.flags.writeable
        assert array.ctypes.data % array.itemsize == 0
    for _ in range(2):
        opt.load(tmp_path / "run")
        opt.step({"a": np.ones(3, np.float32), "b": np.ones(5)})
        opt.save(tmp_path / "run")
    assert found.params["b"].tolist() == [1.0] * 5


def test_a_header_that_readers_would_refuse(tmp_path, monkeypatch):
    monkeypatch.setattr(_layout, "LONGEST_HEADER", 500)
    with pytest.raises(ValueError, match=r"params: found .* at most 500 for them"):
        made()[1].save(tmp_path / "run")
    assert [*tmp_path.iterdir()] == []


def test_each_shape_of_a_header_is_checked():
    """Whatever a header says, it is refused unless it is one."""
    good = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    assert _layout.parsed(good, 8).tensors["a"].shape == (2,)
    for old, new in [
        (b"F32", b"F31"), (b"[2]", b"[3]"), (b"[2]", b"[-2]"), (b"[2]", b"2"),
        (b"[2]", b"[2.0]"), (b"[0,8]", b"[8,0]"), (b"[0,8]", b"[1,9]"),
        (b"[0,8]", b"[0]"), (b'"a"', b'"__metadata__"'), (b'"shape"', b'"dtype"'),
        (b"}}", b"}}x"),
        (b'"a":', b'"a":1,"a":'), (b"[0,8]", b"[0,16]"), (good, b"[]"), (good, b"\xff"),
    ]:  # fmt: skip
        assert message(partial(_layout.parsed, size=8), good.replace(old, new))
    with pytest.raises(ValueError, match="expected 8 bytes of data, found 9"):
        _layout.parsed(good, 9)


def test_a_file_system_without_maps(tmp_path, monkeypatch):
    def no_map(*_, **__):
        raise OSError(19, "No such device")

    monkeypatch.setattr(_read.mmap, "mmap", no_map)
    params, opt, _ = made()
    opt.save(tmp_path / "run")
    params["w"][:] = 0
    opt.load(tmp_path / "run")
    assert params["w"].all()


def test_names_of_single_arrays(tmp_path):
    w = np.ones(2)
    opt = lrcore.Adam(w)
    opt.step(np.ones(2))
    opt.save(tmp_path / "run")
    found = read(tmp_path / "run")
    assert found.params[""].tolist() == w.tolist()
    assert sorted(found.state) == ["m", "v"]
