"""Damaged files are refused, and nothing is changed by them."""

import itertools
import random
from functools import partial

import numpy as np
import pytest
import safetensors.numpy
from saves import begun, bits, loaded, stepped
from wrong import message

import lrcore
from lrcore.checkpoint import DamagedError, _layout, _read, read

pytestmark = pytest.mark.trials

TRIALS = 10_000


def flipped(data, rng):
    at = rng.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    return data


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def longer(data, rng):
    return data + rng.randbytes(rng.choice((1, 8, 32, 4096)))


def zeroed(data, rng):
    """A block of zeros, as a file has where the disk has not got its data."""
    begin = rng.randrange(len(data))
    data[begin : begin + 512] = bytes(len(data[begin : begin + 512]))
    return data


def exchanged(data, rng):
    """Two stretches of the same length change their places."""
    size = rng.randrange(1, 200)
    a, b = sorted(rng.sample(range(0, len(data) - size), 2))
    if a + size <= b:
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


def alike(data):
    """Pairs of tensors of one size, and where the data and the digests begin."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = _layout.parsed(bytes(data[8:start]), len(data) - start)
    *tensors, last = sorted(header.tensors.values(), key=lambda t: (t.begin, t.end))
    pairs = [
        (i, k)
        for i, k in itertools.permutations(range(len(tensors)), 2)
        if tensors[i].end - tensors[i].begin == tensors[k].end - tensors[k].begin > 0
    ]
    return tensors, pairs, start, start + last.begin


def swapped(data, rng):
    """Two tensors change their places, half of the time with their digests."""
    tensors, pairs, start, digests = alike(data)
    places = [[start + t.begin, start + t.end] for t in tensors]
    i, k = rng.choice(pairs)
    a, b = slice(*places[i]), slice(*places[k])
    data[a], data[b] = data[b], data[a]
    if rng.random() < 0.5:
        a, b = (slice(digests + 32 * n, digests + 32 * (n + 1)) for n in (i, k))
        data[a], data[b] = data[b], data[a]
    return data


def doubled(data, rng):
    """A tensor takes the place of another one, half of the time with its digest."""
    tensors, pairs, start, digests = alike(data)
    i, k = rng.choice(pairs)
    a, b = (slice(start + t.begin, start + t.end) for t in (tensors[i], tensors[k]))
    data[a] = data[b]
    if rng.random() < 0.5:
        a, b = (slice(digests + 32 * n, digests + 32 * (n + 1)) for n in (i, k))
        data[a] = data[b]
    return data


MUTATIONS = (flipped,) * 5 + (cut, longer, zeroed, exchanged, swapped, doubled)


def test_no_damaged_file_is_loaded(tmp_path):
    """A mutation that changes nothing, as of zeros to zeros, is not counted."""
    path, rng = tmp_path / "run.safetensors", random.Random(0)
    opt = stepped(begun(), 2)
    opt.save(path, extra={"epoch": 3, "mean": np.ones(7)})
    data = path.read_bytes()
    other, tried = begun(), dict.fromkeys(MUTATIONS, 0)
    before = bits(other)
    with path.open("r+b", buffering=0) as file:
        while sum(tried.values()) < TRIALS:
            mutation = rng.choice(MUTATIONS)
            mutated = mutation(bytearray(data), rng)
            if mutated == data:
                continue
            file.seek(0)
            file.write(mutated)
            file.truncate(len(mutated))
            with pytest.raises(DamagedError):
                other.load(path)
            tried[mutation] += 1
    assert min(tried.values()) > TRIALS / 50
    assert bits(other) == before


def test_each_byte_of_a_file_counts(tmp_path):
    path = tmp_path / "run.safetensors"
    begun().save(path)
    data = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for at, byte in enumerate(data):
            file.seek(at)
            file.write(bytes([byte ^ 0x55]))
            with pytest.raises(DamagedError):
                read(path)
            file.seek(at)
            file.write(bytes([byte]))
    assert bits(loaded(path)) == bits(begun())


def test_tensors_of_two_files_cannot_be_exchanged(tmp_path):
    """Not even with their digests, though name, dtype and shape are the same."""
    first, second = tmp_path / "first", tmp_path / "second"
    opt = stepped(begun())
    opt.save(first)
    stepped(opt).save(second)
    old, new = bytearray(first.read_bytes()), bytearray(second.read_bytes())
    tensors, _, start, digests = alike(new)
    assert alike(old)[2:] == (start, digests)
    for k, tensor in enumerate(tensors):
        mixed = bytearray(new)
        for begin, end in (
            (start + tensor.begin, start + tensor.end),
            (digests + 32 * k, digests + 32 * (k + 1)),
        ):
            mixed[begin:end] = old[begin:end]
        second.write_bytes(mixed)
        with pytest.raises(DamagedError):
            loaded(second)


def test_a_message_names_the_tensor_and_the_save_before(tmp_path):
    path = tmp_path / "run.safetensors"
    opt = stepped(begun())
    opt.save(path)
    with path.open("r+b") as file:
        file.seek(-300, 2)
        file.write(b"x")
    said = message(loaded, path)
    assert said.startswith(f"path: found a damaged checkpoint, '{path}': 'params.w' h")
    assert said.endswith("has another digest")
    opt.save(path)
    path.write_bytes(b"")
    said = message(loaded, path)
    assert said.endswith(f"the save before it is there: load '{path}.prev'")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"load '.*run\.safetensors\.prev'"):
        loaded(path)


def test_a_newer_format_and_other_files(tmp_path, monkeypatch):
    path, opt = tmp_path / "run.safetensors", begun()
    monkeypatch.setattr(_read, "VERSION", 2)
    opt.save(path)
    monkeypatch.undo()
    said = message(opt.load, path)
    begin = "path: expected a format version of at most 1, found '2' in "
    assert said.startswith(begin)
    assert said.endswith("which a newer lrcore has saved; update lrcore")
    safetensors.numpy.save_file({"w": np.ones(3)}, path)
    said = message(opt.load, path)
    assert said.startswith("path: expected a file of opt.save(), found ")
    for data in (b"", b"PK\3\4 of numpy.savez" * 9, b"\x80\x04\x95 of pickle" * 9):
        path.write_bytes(data)
        assert "no safetensors file" in message(opt.load, path)
    assert message(opt.load, tmp_path).startswith("path: expected the path of a file")
    assert message(opt.load, 3).startswith("path: expected a path, found 3")


class Counts:
    """An object whose state is its own array; it sets one number before it refuses."""

    def __init__(self, least=0):
        self.counts, self.least = np.zeros(2), least

    def state_dict(self):
        return {"counts": self.counts}

    def load_state_dict(self, state):
        for k, count in enumerate(state["counts"]):
            self.counts[k] = count
            if count < self.least:
                raise ValueError("too few")


@pytest.mark.parametrize("least", [0, 5])
def test_objects_of_other_kinds_are_as_before_if_a_load_fails(tmp_path, least):
    opt, own = stepped(begun()), {"counts": Counts(), "scaler": lrcore.LossScaler(4.0)}
    own["counts"].counts[:] = 3, 4
    opt.save(tmp_path / "run", extra=own)
    wrong = lrcore.GradientNoiseScale(1, 2) if least == 0 else lrcore.LossScaler(8.0)
    given = {"counts": Counts(least), "scaler": wrong}
    assert message(partial(begun().load, extra=given), tmp_path / "run")
    assert given["counts"].counts.tolist() == [0, 0]


def test_what_fails_in_a_load_changes_nothing(tmp_path):
    """Not the objects either that were loaded before the one that refuses."""
    path = tmp_path / "run.safetensors"
    scaler, noise = lrcore.LossScaler(4.0), lrcore.GradientNoiseScale(1, 2)
    w = np.ones(2)
    stopping = lrcore.EarlyStopping(params=w)
    stopping.update(1.0)
    own = {"scaler": scaler, "noise": noise, "stopping": stopping, "mean": np.ones(2)}
    opt = stepped(begun())
    opt.save(path, extra=own)
    other, given = begun(), {"scaler": lrcore.LossScaler(8.0), "mean": np.zeros(2)}
    for name, wrong in {
        "stopping": lrcore.EarlyStopping(params=np.ones(3)),
        "noise": lrcore.LossScaler(),
    }.items():
        before = bits(other)
        assert message(partial(other.load, extra={**given, name: wrong}), path)
        assert bits(other) == before
        assert given["scaler"].scale == 8.0
        assert not given["mean"].any()
    sgd = lrcore.SGD({"w": np.ones(300, np.float32), "b": np.ones(7)})
    said = message(partial(sgd.load, extra=given), path)
    assert said.startswith("optimizer: expected the state of SGD, found that of AdamW")
    assert given["scaler"].scale == 8.0
    other.load(path, extra={**given, "stopping": lrcore.EarlyStopping(params=w)})
    assert given["scaler"].scale == 4.0
    assert given["mean"].all()
