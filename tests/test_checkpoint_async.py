"""opt.save_async: the file is of one moment, errors reach a call, nothing is lost."""

import errno
import gc
import os
import threading
from io import FileIO

import numpy as np
import pytest
from beside import beside
from saves import begun, bits, holding, known, loaded, script, stepped, unfinished

import lrcore
from lrcore.checkpoint import _durable, _snapshot, read
from lrcore.optimizers.base import saving as of_saving


@pytest.fixture
def held():
    with holding() as held:
        yield held


@pytest.fixture
def full(monkeypatch):
    """A disk that is full."""

    class Full(FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_durable, "FileIO", Full)
        yield patched


# --- one moment -----------------------------------------------------------------------


def test_the_file_is_of_the_moment_of_the_call(tmp_path, held):
    """Params, states, and what else is saved, change while it is written."""
    opt, rng = stepped(begun()), np.random.default_rng(0)
    whole = np.arange(12.0).reshape(3, 4)
    stopping = lrcore.EarlyStopping(params=whole)
    stopping.update(1.0)
    extra = {
        "rng": rng, "view": whole[::-1, ::2], "turned": np.asfortranarray(whole),
        "swapped": whole.astype(">f8"), "empty": whole[:0], "stopping": stopping,
        "complex": whole * 1j,
    }  # fmt: skip
    wanted, drawn = bits(opt), rng.bit_generator.state
    arrays = {k: np.array(v) for k, v in extra.items() if isinstance(v, np.ndarray)}
    saving = opt.save_async(tmp_path / "run", extra=extra)
    assert not saving.done
    for array in (whole, *(a for a in extra.values() if isinstance(a, np.ndarray))):
        array[...] = -1
    stopping.update(0.5)
    rng.normal(size=3)
    stepped(opt, 5)
    opt.lr = 0.5
    held.go_on.set()
    saving.wait()
    assert saving.done
    assert bits(loaded(tmp_path / "run")) == wanted
    found = read(tmp_path / "run").extra
    assert found["rng"].bit_generator.state == drawn
    assert (
        found["stopping"]["weights"][0].tolist()
        == np.arange(12.0).reshape(3, 4).tolist()
    )
    for name, array in arrays.items():
        assert np.array_equal(found[name], array), name


def test_the_file_is_what_save_writes(tmp_path):
    opt = stepped(begun())
    opt.save(tmp_path / "a", extra={"x": np.asfortranarray(np.eye(3))})
    opt.save_async(tmp_path / "b", extra={"x": np.asfortranarray(np.eye(3))}).wait()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("n", [10, 200_000])
def test_beside_a_thread_that_steps(n, tmp_path):
    """No step is refused, and each file is of one moment."""
    params = [np.zeros(n, np.float32) for _ in range(3)]
    opt = lrcore.SGD(params, lr=1.0, momentum=1.0, num_threads=2)
    path, seen = tmp_path / "run", set()

    def use():
        opt.save_async(path).wait()
        found = read(path, mmap=True)
        momenta = {x for a in found.state.values() for x in (a.min(), a.max())}
        values = {x for a in found.params.values() for x in (a.min(), a.max())}
        assert momenta == {found.step}
        assert values == {-found.step * (found.step + 1) / 2}
        seen.add(found.step)

    opt.step([np.ones_like(p) for p in params])
    beside(opt, [np.ones_like(p) for p in params], use, trials=20, gap=1e-3)
    assert len(seen) > 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_copy_of_blocks_of_any_size(threads):
    rng = np.random.default_rng(threads)
    sizes = [0, 1, 3, 63, 64, 65, 4096, 100_001, 700_003, 0, 257]
    arrays = {
        str(k): rng.integers(0, 256, n, np.uint8)[k % 3 :] for k, n in enumerate(sizes)
    }
    opt = lrcore.SGD(np.ones(1), num_threads=threads)
    snapshot = _snapshot.Snapshot(opt, arrays, opt._plan.lock.changes)
    for name, array in arrays.items():
        assert np.array_equal(snapshot.arrays[name], array)


def test_a_change_before_the_copy_is_refused(tmp_path):
    opt = begun()

    class Stepping:
        def state_dict(self):
            stepped(opt)
            return {}

        def load_state_dict(self, saved): ...

    with pytest.raises(RuntimeError, match="another thread has stepped or changed"):
        opt.save_async(tmp_path / "run", extra={"x": Stepping()})
    with opt.averaged(), pytest.raises(RuntimeError, match="lent to"):
        opt.save_async(tmp_path / "run")
    assert [*tmp_path.iterdir()] == []
    opt.save_async(tmp_path / "run").wait()


# --- errors ---------------------------------------------------------------------------

NEXT = {
    "wait": lambda opt, saving, path: saving.wait(),
    "save_async": lambda opt, saving, path: opt.save_async(path),
    "save": lambda opt, saving, path: opt.save(path),
    "load": lambda opt, saving, path: opt.load(path),
}


@pytest.mark.parametrize("call", NEXT)
def test_the_next_call_raises_the_error(call, tmp_path, full):
    path = tmp_path / "run"
    with full.context() as enough:
        enough.setattr(_durable, "FileIO", FileIO)
        opt = stepped(begun())
        opt.save(path)
    saving = stepped(opt).save_async(path)
    of_saving.finish(lambda _: True)
    full.undo()
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left") as raised:
        NEXT[call](opt, saving, path)
    assert raised.value.filename == str(path)
    assert raised.value.__notes__ == [
        f"while {str(path)!r} was saved in the background"
    ]
    assert path.read_bytes() == before
    assert unfinished(tmp_path) == []
    assert opt.t == 2
    NEXT[call](opt, opt.save_async(path), path)  # it is raised once
    assert opt.t == 2
    of_saving.finish(lambda _: True)
    assert loaded(path).t == 2


def test_a_folder_that_is_gone(tmp_path, held):
    folder = tmp_path / "folder"
    folder.mkdir()
    opt = begun()
    saving = opt.save_async(folder / "run")
    folder.rmdir()
    held.go_on.set()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            saving.wait()
    assert repr(saving) == f"<Saving of {str(folder / 'run')!r}: failed>"
    with pytest.raises(FileNotFoundError, match="path: found no folder"):
        opt.save_async(folder / "run")


def test_an_error_that_no_call_raises_is_printed(tmp_path, full, capsys):
    for moment in ("after", "before"):
        opt = begun()
        saving = opt.save_async(tmp_path / moment)
        if moment == "after":
            of_saving.finish(lambda _: True)
        del opt
        of_saving.finish(lambda _: True)
        gc.collect()
        said = capsys.readouterr().err
        assert "OSError: [Errno 28] No space left on device" in said
        assert moment in said
        assert saving.done
    opt = begun()
    with pytest.raises(OSError, match="No space"):
        opt.save_async(tmp_path / "run").wait()
    del opt
    gc.collect()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("refused", [True, False])
def test_without_a_thread_to_be_had_the_call_writes(refused, tmp_path, monkeypatch):
    """Also if the thread ends before it begins to write, as it gets no memory."""

    def start(work, args):
        if refused:
            raise RuntimeError("can't start new thread")
        begin(int, args)

    begin = of_saving._thread.start_new_thread
    monkeypatch.setattr(of_saving._thread, "start_new_thread", start)
    saving = begun().save_async(tmp_path / "run")
    assert saving.done
    saving.wait()
    assert loaded(tmp_path / "run").t == 0


# --- memory ---------------------------------------------------------------------------


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_memory_of_a_copy_is_kept_and_returned(tmp_path):
    opt = lrcore.SGD(np.ones(8_000_000), momentum=0.9)
    opt.step(np.ones(8_000_000))
    opt.save_async(tmp_path / "run").wait()
    memory = _snapshot._kept[opt]
    for params in (False, True):
        opt.save_async(tmp_path / "run", params=params).wait()
        assert _snapshot._kept[opt] is memory
    opt.add_group(np.ones(1000))
    opt.save_async(tmp_path / "run").wait()
    assert _snapshot._kept[opt] is not memory
    del memory
    before = resident()
    del opt
    gc.collect()
    # Params, states, and the copy of both.
    assert before - resident() > 0.9 * 4 * 64_000_000


@pytest.mark.parametrize("began", [False, True])
def test_a_checkpoint_that_is_loaded_gets_the_memory_of_the_first_copy(began, tmp_path):
    """Whether or not there is a file to load."""
    opt, extra = lrcore.SGD(np.ones(10**6), momentum=0.9), {"x": np.ones(10**6)}
    checkpoint = lrcore.Checkpoint(tmp_path, background=True)
    if began:
        lrcore.Checkpoint(tmp_path).save(opt, extra=extra)
    assert (checkpoint.load(opt, extra=extra) is not None) == began
    memory, held = _snapshot._kept[opt], resident()
    checkpoint.save(opt, extra=extra, now=True)
    checkpoint.wait()
    assert _snapshot._kept[opt] is memory
    assert resident() - held < 8e6  # of 24 MB
    checkpoint.load(opt)
    assert _snapshot._kept[opt] is memory
    extra["y"] = np.ones(10**6)
    checkpoint.save(opt, extra=extra, now=True)
    checkpoint.load(opt, extra=extra)
    assert len(_snapshot._kept[opt]) == 32 * 10**6


def test_a_save_needs_no_module_of_numpy_that_takes_long_to_import(tmp_path):
    script(
        """
        import sys, numpy as np, lrcore
        opt = lrcore.Adam(np.ones(3))
        opt.save(sys.argv[1], extra={"x": np.ones(2)})
        opt.load(sys.argv[1])
        assert "numpy.ma" not in sys.modules
        """,
        tmp_path / "run",
    )


def test_a_copy_that_does_not_fit_into_memory(tmp_path, monkeypatch):
    def no_memory(*_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(_snapshot.mmap, "mmap", no_memory)
    checkpoint = lrcore.Checkpoint(tmp_path / "folder", background=True)
    with pytest.raises(MemoryError, match="found no memory for a copy of 5,120 "):
        checkpoint.load(begun())
    with pytest.raises(MemoryError, match="found no memory for a copy of 5,120 "):
        begun().save_async(tmp_path / "run")


def test_an_optimizer_can_be_deleted_while_it_is_saved(tmp_path, held):
    opt = stepped(begun())
    wanted, saving = bits(opt), opt.save_async(tmp_path / "run")
    kept = len(_snapshot._kept)
    del opt
    gc.collect()
    held.go_on.set()
    saving.wait()
    assert bits(loaded(tmp_path / "run")) == wanted
    assert len(_snapshot._kept) == kept


# --- a folder of them -----------------------------------------------------------------


def test_a_folder_written_in_the_background(tmp_path, held):
    opt, checkpoint = begun(), lrcore.Checkpoint(tmp_path, keep=2, background=True)
    held.go_on.set()
    for metric in (3.0, 1.0, 2.0, 4.0):
        checkpoint.save(stepped(opt), metric=metric)
    held.go_on.clear()
    path = checkpoint.save(stepped(opt))
    assert not path.exists()
    threading.Timer(0.05, held.go_on.set).start()
    assert checkpoint.latest == path
    assert [p.name[-13:-12] for p in checkpoint.paths] == ["2", "4", "5"]
    assert checkpoint.best.name == "step-000000002.safetensors"
    again = begun()
    assert lrcore.Checkpoint(tmp_path).load(again).step == 5
    assert bits(again) == known(5)[5]
    assert repr(checkpoint).endswith("background=True)")


def test_a_folder_on_a_full_disk(tmp_path, full):
    """The next call raises the error, whether it is time or not; then it is time."""
    opt = begun()
    checkpoint = lrcore.Checkpoint(tmp_path, every=10, background=True)
    assert checkpoint.save(opt)
    of_saving.finish(lambda _: True)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(stepped(opt))
    assert checkpoint.save(opt)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.wait()
    assert checkpoint.paths == []
    full.undo()
    path = checkpoint.save(opt)
    checkpoint.wait()
    assert loaded(path).t == 1
    assert checkpoint.save(stepped(opt)) is None
