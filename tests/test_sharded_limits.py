"""What follows past norms and gradients, of several ranks: ZClip, AdaGC, curvature."""

from copy import deepcopy

import numpy as np
import pytest
from ranks import KINDS, arrays, content, gradient, in_turn, make, ranks

import lrcore
from lrcore import AdaGC, ZClip

BATCHES = 5
SPIKE = 3
"""The step whose gradients are 20 times as large."""

ALL = {
    "clip_norm": ZClip(warmup=2),
    "clip_tensor_norm": AdaGC(warmup=2),
    "telemetry": True,
    "curvature": True,
}
CASES = [
    ("AdamW", {"clip_norm": ZClip(warmup=2), "telemetry": True}),
    ("SGD", {"clip_norm": ZClip(warmup=2, mode="max", max_norm=30.0)}),
    ("AdamW", {"clip_norm": ZClip(warmup=2, skip=True), "telemetry": True}),
    ("AdamW", {"clip_tensor_norm": AdaGC(warmup=2), "telemetry": True}),
    ("Adafactor", {"clip_tensor_norm": AdaGC(1.5, warmup=1, warmup_norm=None)}),
    ("SGD", {"telemetry": True, "curvature": True, "clip_value": 0.5}),
    ("SGD", {"clip_norm": ZClip(warmup=2), "agc": 0.01, "agc_axis": 0}),
    ("LAMB", ALL),
    ("Muon", ALL),
    ("Prodigy", ALL),
]


def spiky(step, i):
    """Return the gradient of a micro-batch; some arrays have none now and then."""
    grads = gradient(step, i)
    for g in grads.values():
        g *= 20 if step == SPIKE else 1
    if step == 1:
        grads["b"] = None
    return grads


def told(opt, params):
    """Return all that the ranks have to have alike."""
    saved = opt.state_dict()
    zclip = opt.clip_norm
    counted = zclip.state_dict() if isinstance(zclip, ZClip) else None
    reports = repr(opt.reports("tensor")) if opt.telemetry else None
    states = [{k: a for k, a in own.items() if k != "acc"} for own in saved["state"]]
    return content(params), [*map(content, states)], counted, reports, opt.t


def run(opt, params, mine, steps):
    taken = []
    for step in steps:
        applied = [opt.step(spiky(step, i)) for i in mine]
        clip = opt.report.clip if opt.telemetry else None
        taken.append((applied[-1], clip))
    return taken, told(opt, params)


def trained(comm, name, hyper, total):
    params = arrays(0)
    opt, mine = make(comm, name, total, params, **deepcopy(hyper))
    return run(opt, params, mine, range(6))


def alone(name, hyper):
    params = arrays(0)
    return run(KINDS[name](params, **deepcopy(hyper)), params, range(1), range(6))


def test_the_same_bits_on_any_number_of_ranks():
    """Of each case: the ranks train all, one after the other."""

    def all_of(n, total):
        return ranks(n, in_turn, trained, [(*case, total) for case in CASES])

    def same(found, wanted):
        for case, f, w in zip(CASES, found, wanted, strict=True):
            assert f == w, case

    same(all_of(1, 1)[0], [alone(*case) for case in CASES])
    (wanted,) = all_of(1, BATCHES)
    for n in (2, 3, 5):
        for found in all_of(n, BATCHES):
            same(found, wanted)


def test_a_spike_is_clipped():
    for option in ("clip_norm", "clip_tensor_norm"):
        hyper = {option: ALL[option], "telemetry": True}
        (taken, _), *_ = ranks(2, trained, "SGD", hyper, 2)
        assert taken[SPIKE][0]
        assert taken[SPIKE][1] < 0.1


def skipped(comm):
    params = arrays(0)
    zclip = ZClip(warmup=2, skip=True)
    opt, mine = make(comm, "AdamW", 4, params, clip_norm=zclip, zero_grads=True)
    found = []
    for step in range(6):
        before = content(params)
        for i in mine:
            grads = {k: g for k, g in spiky(step, i).items() if g is not None}
            applied = opt.step({**dict.fromkeys(params), **grads})
            assert not any(g.any() for g in grads.values())
        found.append((applied, content(params) == before))
    return found, opt.t, opt.clip_norm.spikes


def test_the_step_of_a_spike_is_skipped_on_all_ranks():
    wanted = [(True, False)] * 6
    wanted[SPIKE] = (False, True)
    for n in (1, 2, 4):
        assert ranks(n, skipped) == [(wanted, 5, 1)] * n


def one_by_one(comm, alone):
    params = arrays(0)
    opt, _ = make(comm, "AdamW", comm.size, params, **ALL)
    for step in range(6):
        grads = spiky(step, comm.rank)
        if not alone:
            opt.step(grads)
            continue
        for name in reversed(grads):
            opt.step_one(name, grads[name])
    return told(opt, params)


def test_arrays_that_come_one_by_one():
    wanted = ranks(3, one_by_one, False)
    assert ranks(3, one_by_one, True) == wanted
    assert wanted == [wanted[0]] * 3


# --- checkpoints ----------------------------------------------------------------------


def save(comm, name, path):
    opt, mine = make(comm, name, BATCHES, arrays(0), **deepcopy(ALL))
    for step in range(2):
        for i in mine:
            opt.step(spiky(step, i))
    opt.save(path)


def go_on(comm, name, path):
    params = arrays(1)
    opt, mine = make(comm, name, BATCHES, params, **deepcopy(ALL))
    opt.load(path)
    return run(opt, params, mine, range(2, 6))


def never_saved(comm, name):
    params = arrays(0)
    opt, mine = make(comm, name, BATCHES, params, **ALL)
    taken, end = run(opt, params, mine, range(6))
    return taken[2:], end


@pytest.mark.parametrize("name", ["AdamW", "Muon"])
def test_any_number_of_ranks_goes_on(name, tmp_path):
    path = tmp_path / "run.safetensors"
    files = set()
    for n in (1, 2, 3, 5):
        ranks(n, save, name, path)
        files.add(path.read_bytes())
    assert len(files) == 1
    wanted = ranks(1, never_saved, name)[0]
    for m in (1, 2, 4):
        assert ranks(m, go_on, name, path) == [wanted] * m, f"to {m}"


def test_a_process_without_ranks_goes_on(tmp_path):
    """Up to 3 gradients, the tree adds them one after the other."""
    path = tmp_path / "run.safetensors"

    def begin(comm):
        opt, mine = make(comm, "AdamW", 3, arrays(0), **deepcopy(ALL))
        for step in range(2):
            for i in mine:
                opt.step(spiky(step, i))
        opt.save(path)
        params = arrays(1)
        opt, mine = make(comm, "AdamW", 3, params, **deepcopy(ALL))
        opt.load(path)
        return run(opt, params, mine, range(2, 6))

    wanted = ranks(2, begin)[0]
    params = arrays(1)
    opt = lrcore.AdamW(params, accumulate=3, **deepcopy(ALL))
    opt.load(path)
    assert run(opt, params, range(3), range(2, 6)) == wanted


# --- ranks that are not alike ---------------------------------------------------------


def test_norms_that_only_one_rank_has_counted():
    def wrong(comm):
        params = arrays(0)
        before = content(params)
        zclip = ZClip()
        if comm.rank == 1:
            other = lrcore.SGD(np.zeros(2), clip_norm=zclip)
            other.step(np.ones(2))
            zclip = other.clip_norm
        opt = lrcore.AdamW(params, comm=comm, clip_norm=zclip)
        with pytest.raises(ValueError, match="norms counted by clip_norm") as caught:
            opt.step(gradient(0, 0))
        assert content(params) == before
        return str(caught.value)

    first, *others = ranks(3, wrong)
    assert others == [first] * 2
    assert "on rank 1" in first


def test_another_limit():
    def wrong(comm):
        factor = 1.5 if comm.rank == 1 else 1.05
        with pytest.raises(ValueError, match="clip_tensor_norm") as caught:
            lrcore.SGD(arrays(0), comm=comm, clip_tensor_norm=AdaGC(factor))
        return str(caught.value)

    for words in ranks(3, wrong):
        assert "AdaGC(factor=1.5" in words
