"""Checkpoints of several ranks: those of one process, for any number of ranks."""

import os
import signal

import numpy as np
import pytest
from ranks import arrays, batches, content, gradient, in_turn, make, ranks

import lrcore
from lrcore.checkpoint import DamagedError, _sharded
from lrcore.checkpoint._read import Opened
from lrcore.distributed import RankLostError, run_ranks

BATCHES = 5


def begun(comm, name, path, **hyper):
    """Take two steps and save."""
    params = arrays(0)
    opt, mine = make(comm, name, BATCHES, params, **hyper)
    for step in range(2):
        for i in mine:
            opt.step(gradient(step, i))
    opt.save(path, extra={"rank": comm.rank, "x": np.arange(3)})
    return opt, params


def save(comm, name, path, hyper):
    begun(comm, name, path, **hyper)


def go_on(comm, name, path, hyper):
    """Load, and take two more steps."""
    params = arrays(1)
    opt, mine = make(comm, name, BATCHES, params, **hyper)
    restored = opt.load(path)
    assert (restored.step, restored.extra["rank"]) == (2, 0)
    for step in range(2, 4):
        for i in mine:
            opt.step(gradient(step, i))
    return content(params), [*map(content, opt.state_dict()["state"])]


def never_saved(comm, name, hyper):
    params = arrays(0)
    opt, mine = make(comm, name, BATCHES, params, **hyper)
    for step in range(4):
        for i in mine:
            opt.step(gradient(step, i))
    return content(params), [*map(content, opt.state_dict()["state"])]


CASES = [
    ("AdamW", {"ema_decay": 0.9, "clip_norm": 1.0}),
    ("Adafactor", {}),
    ("Muon", {}),
    ("NovoGrad", {}),
    ("Prodigy", {}),
    ("AdamWScheduleFree", {}),
]


def test_the_file_is_the_same_on_any_number_of_ranks(tmp_path):
    def path_of(name, n):
        return tmp_path / f"{name}-{n}.safetensors"

    for n in (1, 2, 5):
        ranks(n, in_turn, save, [(name, path_of(name, n), h) for name, h in CASES])
    for name, _ in CASES:
        one, *others = (path_of(name, n).read_bytes() for n in (1, 2, 5))
        assert others == [one] * 2, name
    assert len([*tmp_path.iterdir()]) == 3 * len(CASES)


def test_any_number_of_ranks_goes_on(tmp_path):
    name, hyper = CASES[0]
    numbers = range(1, 6)
    paths = {n: tmp_path / f"{n}.safetensors" for n in numbers}
    for n in numbers:
        ranks(n, save, name, paths[n], hyper)
    wanted = ranks(1, never_saved, name, hyper)[0]
    for m in numbers:
        loads = [(name, paths[n], hyper) for n in numbers]
        for found in ranks(m, in_turn, go_on, loads):
            assert [n for n in numbers if found[n - 1] != wanted] == [], f"to {m}"


def test_other_rules_go_on(tmp_path):
    saved = [(name, tmp_path / f"{name}.safetensors", h) for name, h in CASES[1:]]
    ranks(3, in_turn, save, saved)
    (wanted,) = ranks(1, in_turn, never_saved, CASES[1:])
    for m in (2, 4):
        for found in ranks(m, in_turn, go_on, saved):
            for each, ours, theirs in zip(saved, found, wanted, strict=True):
                assert ours == theirs, (each, m)


def test_a_process_without_ranks_loads_it(tmp_path):
    saved = [(name, tmp_path / f"{name}.safetensors", h) for name, h in CASES]
    first, *others = ranks(3, in_turn, told, saved)
    assert others == [first] * 2
    for (name, path, hyper), found in zip(saved, first, strict=True):
        params = arrays(1)
        opt = getattr(lrcore, name)(params, accumulate=BATCHES, **hyper)
        opt.load(path)
        states = [{k: a for k, a in s.items() if k != "acc"} for s in opt.state]
        states = [{k: a for k, a in s.items() if k != "u"} for s in states]
        assert found == (content(params), [*map(content, states)]), name
        assert opt.accumulate == BATCHES
        opt.save(path, extra={"rank": 0})
    # And the other way.
    (wanted,) = ranks(1, in_turn, never_saved, CASES)
    assert ranks(2, in_turn, go_on, saved) == [wanted] * 2


def told(comm, name, path, hyper):
    opt, params = begun(comm, name, path, **hyper)
    return content(params), [*map(content, opt.state_dict()["state"])]


def in_fortran_order(comm, path):
    params = arrays(0, order="F")
    opt, mine = make(comm, "AdamW", 2, params)
    for i in mine:
        opt.step(gradient(0, i, order="F"))
    opt.save(path)
    again, _ = make(comm, "AdamW", 2, arrays(0))  # in C order
    again.load(path)
    return [*map(content, again.state_dict()["state"])], {
        name: p.ravel("C").tobytes() for name, p in params.items()
    }


def test_arrays_in_fortran_order(tmp_path):
    path = tmp_path / "run.safetensors"
    wanted = ranks(1, in_fortran_order, path)[0]
    data = path.read_bytes()
    assert ranks(2, in_fortran_order, path) == [wanted] * 2
    assert path.read_bytes() == data


def test_the_folder_of_a_run(tmp_path):
    def run(comm):
        opt, mine = make(comm, "AdamW", 2, arrays(0))
        checkpoint = lrcore.Checkpoint(tmp_path / "run", keep=2)
        assert checkpoint.load(opt) is None
        for step in range(4):
            for i in mine:
                opt.step(gradient(step, i))
            checkpoint.save(opt, metric=abs(step - 1))
        names = [path.name for path in checkpoint.paths]
        return names, checkpoint.load(opt, "best").step

    wanted = [f"step-{n:09}.safetensors" for n in (2, 3, 4)]
    assert ranks(2, run) == [(wanted, 2)] * 2


# --- what goes wrong ------------------------------------------------------------------


def caught(comm, work):
    opt, mine = make(comm, "AdamW", 2, arrays(0))
    for i in mine:
        opt.step(gradient(0, i))
    with pytest.raises(Exception) as error:  # noqa: PT011 # its text is looked at
        work(comm, opt)
    return f"{type(error.value).__name__}: {error.value}"


def test_an_error_of_one_rank_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    ranks(2, save, "AdamW", path, {})
    before = path.read_bytes()

    def no_folder(comm, opt):
        opt.save("/nowhere/x" if comm.rank == 1 else path)

    first, second = ranks(2, caught, no_folder)
    assert second.startswith("FileNotFoundError: path: found no folder")
    assert first == f"RuntimeError: rank 1 has failed, and all do: {second}"

    def full_disk(comm, opt):
        def fsync(fd):
            raise OSError(28, "No space left on device")

        if comm.rank == 1:
            monkeypatch.setattr(os, "fsync", fsync)
        opt.save(path)

    first, second = ranks(2, caught, full_disk)
    assert "No space left" in first
    assert second.startswith("OSError: [Errno 28]")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_rank_that_cannot_write_while_the_others_gather(tmp_path, monkeypatch):
    """They gather what has another order in the file, learn why, and go on."""

    def work(comm):
        w = np.asfortranarray(np.ones((200, 300)))
        opt = lrcore.AdamW(w, comm=comm)

        def full_disk(*args):
            raise OSError("no space")

        with monkeypatch.context() as patch:
            if comm.rank == 1:
                patch.setattr(_sharded, "FileIO", full_disk)
            with pytest.raises((OSError, RuntimeError)) as caught:
                opt.save(tmp_path / "run.safetensors")
        comm.barrier()
        assert opt.step(np.ones_like(w))
        return str(caught.value), opt.t

    told = "rank 1 has failed, and all do: OSError: no space"
    assert ranks(3, work) == [(told, 1), ("no space", 1), (told, 1)]
    assert [*tmp_path.iterdir()] == []


def test_a_damaged_file_changes_nothing(tmp_path):
    path = tmp_path / "run.safetensors"
    ranks(2, save, "AdamW", path, {})
    data = bytearray(path.read_bytes())
    data[-5000] ^= 1
    path.write_bytes(data)

    def load(comm, opt):
        state = [*map(content, opt.state)]
        try:
            opt.load(path)
        except DamagedError as error:
            assert state == [*map(content, opt.state)]
            raise ValueError("damaged") from error

    assert ranks(2, caught, load) == ["ValueError: damaged"] * 2


def test_damage_anywhere_is_found_by_some_rank_and_raised_on_all(tmp_path):
    path = tmp_path / "run.safetensors"
    ranks(2, save, "AdamW", path, {})
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
    data = path.read_bytes()

    def load(comm):
        opt, _ = make(comm, "AdamW", 3, arrays(0))
        state = [*map(content, opt.state)]
        with pytest.raises(DamagedError) as error:
            opt.load(path)
        assert state == [*map(content, opt.state)]
        return str(error.value)

    with Opened(str(path)) as file:
        spans = [(t.begin, t.end) for t in file.tensors if t.begin < t.end]
    places = [start + (begin + end) // 2 for begin, end in spans]
    for at in (*places, len(data) - 40):  # the last one is in the digests
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        first, *others = ranks(3, load)
        assert "has another digest" in first
        assert others == [first] * 2
    path.write_bytes(data[:-3000])
    for words in ranks(3, load):
        assert "damaged checkpoint" in words


def test_the_ranks_verify_a_file_once_together(tmp_path):
    path = tmp_path / "run.safetensors"
    ranks(2, save, "AdamW", path, {})

    def verified(comm):
        opt, _ = make(comm, "AdamW", BATCHES, arrays(0))
        found, marks = [], []
        read, verify = Opened._fill, Opened.verify

        def fill(self, tensor, part, begin):
            found.append((tensor.name, begin, len(part)))
            read(self, tensor, part, begin)

        def marked(self, *args):
            found.clear()
            verify(self, *args)
            marks.extend(found)

        Opened._fill, Opened.verify = fill, marked
        opt.load(path)
        return [mark for mark in marks if mark[0] != "digests"]

    (alone,) = ranks(1, verified)
    assert sum(n for *_, n in alone) > 100_000
    for n in (2, 3, 5):
        found = ranks(n, verified)
        assert sorted(mark for each in found for mark in each) == sorted(alone)
        assert sum(map(bool, found)) > 1


def test_ranks_that_load_other_files(tmp_path):
    paths = [tmp_path / f"{i}.safetensors" for i in range(2)]
    ranks(2, save, "AdamW", paths[0], {})
    ranks(2, save, "AdamW", paths[1], {"lr": 0.5})

    def load(comm, opt):
        opt.load(paths[comm.rank])

    for error in ranks(2, caught, load):
        assert "expected the same on every rank" in error


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "FileNotFoundError: [Errno 2] path: found no file there"),
        (0, "DamagedError: path: found "),
        (100, "DamagedError: path: found "),
        (-10, "DamagedError: path: found a damaged checkpoint"),
    ],
)
def test_a_file_that_one_rank_does_not_see_whole(left, words, tmp_path):
    """As on a file system that is behind; left: so many bytes are there, None: none."""
    path, other = tmp_path / "run.safetensors", tmp_path / "other.safetensors"
    ranks(5, save, "AdamW", path, {})
    if left is not None:
        other.write_bytes(path.read_bytes()[:left])

    def load(comm):
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm)
        with pytest.raises((DamagedError, OSError, RuntimeError, ValueError)) as error:
            opt.load(other if comm.rank == 3 else path)
        assert content(params) == content(arrays(0))
        assert not any(a.any() for state in opt.state for a in state.values())
        return f"{error.type.__name__}: {error.value}"

    for rank, error in enumerate(ranks(5, load)):
        told = "" if rank == 3 else "RuntimeError: rank 3 has failed, and all do: "
        assert error.startswith(told + words), error


# --- a rank that is killed ------------------------------------------------------------


def killed(comm, where, path):
    """Save, step, and kill rank 1 somewhere in what follows."""
    opt, _ = begun(comm, "AdamW", path)
    mine, calls = batches(comm, BATCHES), 0
    if comm.rank == 1:
        met = comm._meet

        def meet(*args):
            nonlocal calls
            calls += 1
            if calls == where:
                os.kill(os.getpid(), signal.SIGKILL)
            return met(*args)

        comm._meet = meet
    for step in range(2, 5):
        for i in mine:
            opt.step(gradient(step, i))
        opt.save(path)
    return calls


@pytest.mark.trials
def test_a_rank_that_is_killed_anywhere(tmp_path):
    """The others end, and the last checkpoint goes on to the bit."""
    hyper, path = {}, tmp_path / "run.safetensors"
    wanted = ranks(1, never_saved, "AdamW", hyper)[0]
    seen = set()
    for where in range(1, 40, 2):
        for file in tmp_path.iterdir():
            file.unlink()
        with pytest.raises(RankLostError, match="exit code -9"):
            run_ranks(3, killed, where, path, timeout=20, method="fork")
        step = lrcore.checkpoint.read(path).step
        seen.add(step)
        if step == 2:
            assert ranks(2, go_on, "AdamW", path, hyper) == [wanted] * 2
    assert len(seen) > 1


@pytest.mark.parametrize("where", [1, 4, 9])
def test_a_rank_that_is_killed(where, tmp_path):
    path = tmp_path / "run.safetensors"
    with pytest.raises(RankLostError, match="exit code -9"):
        run_ranks(3, killed, where, path, timeout=20, method="fork")
    assert lrcore.checkpoint.read(path).step >= 2
