"""`ZClip` and `AdaGC` together: their order, saving, threads, arguments."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from spiky import adagc, gradients, norm, params

import lrcore
from lrcore import AdaGC, ZClip


def test_the_word_is_the_setting_with_the_defaults_of_the_paper():
    opt = lrcore.SGD(params(), clip_norm="zclip", clip_tensor_norm="adagc")
    assert repr(opt.clip_norm) == repr(ZClip(2.5, 0.97, 25, "reciprocal"))
    assert opt.clip_tensor_norm == AdaGC(1.05, 0.98, 100, 1.0)


def test_zclip_sees_the_norm_that_adagc_leaves():
    grads = gradients(8, spikes=(7,))
    clip = AdaGC(1.5, 0.9, 2, None)
    opt = lrcore.SGD(params(), lr=1.0, clip_tensor_norm=clip, clip_norm=ZClip(warmup=9))
    for g in grads:
        opt.step(g)
    norms = np.array([[norm([a]) for a in g] for g in grads])
    kept, _ = adagc(norms, 1.5, 0.9, 2, np.inf)
    total = np.sqrt((kept**2).sum(axis=1))
    assert opt.clip_norm.mean == pytest.approx(total.mean(), rel=1e-12)


@pytest.mark.parametrize("at", [10, 40])
@pytest.mark.parametrize("how", ["dict", "pickle", "copy", "file"])
def test_a_run_goes_on_as_if_it_had_not_stopped(how, at, tmp_path):
    def new(own):
        return lrcore.AdamW(
            own,
            lr=0.1,
            clip_norm=ZClip(warmup=20, skip=True),
            clip_tensor_norm=AdaGC(warmup=25),
        )

    grads = gradients(80, spikes=(30, 50), dtype=np.float32)
    own = params(np.float32)
    opt = new(own)
    for g in grads[:at]:
        opt.step(g)
    if how == "pickle":
        other, then = pickle.loads(pickle.dumps((own, opt)))
    elif how == "copy":
        other, then = deepcopy((own, opt))
    else:
        other = deepcopy(own) if how == "dict" else params(np.float32)
        then = lrcore.AdamW(other, clip_tensor_norm="adagc")
        if how == "dict":
            then.load_state_dict(opt.state_dict())
        else:
            opt.save(tmp_path / "run")
            then.load(tmp_path / "run")
    taken = [opt.step(g) for g in grads[at:]]
    assert [then.step(g) for g in grads[at:]] == taken
    assert not all(taken)
    assert all((a == b).all() for a, b in zip(own, other, strict=True))
    assert then.clip_norm.state_dict() == opt.clip_norm.state_dict()
    assert then.clip_norm is not opt.clip_norm


def test_a_range_test_puts_back_what_was_counted():
    p = np.ones(5)
    opt = lrcore.SGD(p, 0.01, clip_norm=ZClip(warmup=3), clip_tensor_norm="adagc")
    for _ in range(10):
        opt.step(p.copy())
    counted, means = opt.clip_norm.state_dict(), opt.state[0]["norm_mean"].copy()
    lrcore.lr_find(opt, lambda batch: (float(p @ p) / 2, p.copy()), [0] * 8)
    assert opt.clip_norm.state_dict() == counted
    assert opt.state[0]["norm_mean"] == means


def test_bits_do_not_depend_on_threads():
    ends = []
    for threads in (1, 2):
        own = [np.zeros(300_000, np.float32), np.zeros(5, np.float32)]
        rng = np.random.default_rng(0)
        opt = lrcore.AdamW(
            own, clip_norm=ZClip(warmup=3), clip_tensor_norm=AdaGC(warmup=2),
            num_threads=threads,
        )  # fmt: skip
        for t in range(8):
            factor = 50.0 if t == 6 else 1.0
            opt.step([(factor * rng.normal(size=p.size)).astype("f4") for p in own])
        ends.append((own, opt.clip_norm.state_dict()))
    (one, counted), (two, counted_by_two) = ends
    assert counted == counted_by_two
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_what_cannot_work_is_refused():
    own = params()
    with pytest.raises(ValueError, match=r'clip_norm: .*"zclip".*found \'zlip\''):
        lrcore.SGD(own, clip_norm="zlip")
    with pytest.raises(ValueError, match=r'clip_tensor_norm: .*"adagc"'):
        lrcore.SGD(own, clip_tensor_norm="zclip")
    with pytest.raises(TypeError, match="clip_norm"):
        lrcore.SGD(own, clip_norm=AdaGC())
    with pytest.raises(ValueError, match=r"agc: expected None with clip_tensor_norm"):
        lrcore.SGD(own, clip_tensor_norm="adagc", agc=0.1, agc_axis=0)
    with pytest.raises(ValueError, match=r'states of .*clip_tensor_norm "adagc"'):
        lrcore.SGD(own, clip_tensor_norm=1.0).clip_tensor_norm = "adagc"
    for setting in ({"clip_norm": "zclip"}, {"clip_tensor_norm": "adagc"}):
        opt = lrcore.SGD(own, **setting)
        with pytest.raises(ValueError, match=r"at once: step them together"):
            opt.step_one(0, np.ones(3))
        assert all((p == 0).all() for p in own)
    opt = lrcore.SGD(own, clip_norm=lambda t: "zclip")
    with pytest.raises(TypeError, match="clip_norm: expected numbers"):
        opt.step(params())


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        (lambda: ZClip(z=0), "z:"),
        (lambda: ZClip(decay=1.0), "decay:"),
        (lambda: ZClip(warmup=1), "warmup:"),
        (lambda: ZClip(mode="median"), "mode:"),
        (lambda: ZClip(skip=1), "skip:"),
        (lambda: ZClip(max_norm=0), "max_norm:"),
        (lambda: AdaGC(factor=0.9), "factor:"),
        (lambda: AdaGC(warmup=0), "warmup:"),
        (lambda: ZClip().load_state_dict({"z": 1}), "saved:"),
        (lambda: ZClip().load_state_dict({**ZClip().state_dict(), "counted": 3}),
         "counted:"),
    ],
)  # fmt: skip
def test_arguments_out_of_their_domains_are_named(setting, name):
    with pytest.raises((TypeError, ValueError), match=name):
        setting()
