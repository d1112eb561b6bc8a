"""Clipping by past norms: `ZClip` and `AdaGC`, against their formulas in NumPy."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

import lrcore
from lrcore import AdaGC, ZClip

SIZES = (3, 2050, 1)


def gradients(steps, spikes=(), factor=100.0, dtype=np.float64):
    rng = np.random.default_rng(3)
    each = [[rng.normal(size=n).astype(dtype) for n in SIZES] for _ in range(steps)]
    for t in spikes:
        each[t] = [dtype(factor) * g for g in each[t]]
    return each


def params(dtype=np.float64):
    return [np.zeros(n, dtype) for n in SIZES]


def norm(arrays):
    return float(np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays)))


def zclip_limits(norms, z, decay, warmup, mode, skip=False):
    """The norm after clipping of each step (Kumar et al. 2025, Algorithm 1)."""
    kept, mean, var = [], None, None
    for t, g in enumerate(norms):
        if t < warmup:
            kept.append(g)
            if t == warmup - 1:
                mean, var = np.mean(norms[:warmup]), np.var(norms[:warmup])
            continue
        score, n = (g - mean) / np.sqrt(var), g
        if score > z:
            to = {"reciprocal": z**2 / score, "max": z, "mean": 0.0}
            n = mean + (z if skip else to[mode]) * np.sqrt(var)
        mean = decay * mean + (1 - decay) * n
        var = decay * var + (1 - decay) * (n - mean) ** 2
        kept.append(n)
    return kept, mean, np.sqrt(var)


@pytest.mark.parametrize("mode", ["reciprocal", "max", "mean"])
def test_zclip_clips_to_the_norms_of_the_paper(mode):
    grads = gradients(60, spikes=(20, 33, 34))
    opt = lrcore.SGD(params(), lr=1.0, telemetry=True)
    opt.clip_norm = ZClip(2.0, 0.9, warmup=10, mode=mode)
    found = []
    for g in grads:
        assert opt.step(g)
        found.append(opt.report.update_norm)
    wanted, mean, std = zclip_limits([norm(g) for g in grads], 2.0, 0.9, 10, mode)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    counted = opt.clip_norm.mean, opt.clip_norm.std
    np.testing.assert_allclose(counted, [mean, std], rtol=1e-12)
    assert opt.clip_norm.spikes >= 3
    assert opt.clip_norm.counted == 10


def test_the_word_is_the_setting_with_the_defaults_of_the_paper():
    opt = lrcore.SGD(params(), clip_norm="zclip", clip_tensor_norm="adagc")
    assert repr(opt.clip_norm) == repr(ZClip(2.5, 0.97, 25, "reciprocal"))
    assert opt.clip_tensor_norm == AdaGC(1.05, 0.98, 100, 1.0)


def test_a_clipped_step_has_the_bits_of_the_same_clip_norm():
    grads, own, other = (
        gradients(40, (30,), dtype=np.float32),
        params("f4"),
        params("f4"),
    )
    clip = ZClip(warmup=5, mode="max")
    opt, plain = lrcore.AdamW(own, clip_norm=clip), lrcore.AdamW(other)
    for g in grads:
        most = clip.mean + clip.z * clip.std if clip.counted == 5 else None
        plain.clip_norm = most
        opt.step(g)
        plain.step(g)
        assert all((a == b).all() for a, b in zip(own, other, strict=True))


def test_max_norm_holds_from_the_first_step():
    opt = lrcore.SGD(params(), lr=1.0, clip_norm=ZClip(max_norm=1.5), telemetry=True)
    for g in gradients(30):
        opt.step(g)
        np.testing.assert_allclose(opt.report.update_norm, 1.5, rtol=1e-12)


def test_skip_changes_nothing_but_what_zclip_has_counted():
    own = params()
    opt = lrcore.Adam(
        own, clip_norm=ZClip(warmup=5, skip=True), zero_grads=True, telemetry=True
    )
    for g in gradients(20):
        assert opt.step(g)
    before, states = deepcopy(own), deepcopy(opt.state_dict())
    (spike,) = gradients(1, (0,))
    size = norm(spike)
    assert not opt.step(spike)
    assert opt.t == 20
    assert not opt.report.applied
    assert opt.report.grad_norm == pytest.approx(size, rel=1e-12)
    assert opt.report.update_norm == 0
    assert all((a == b).all() for a, b in zip(own, before, strict=True))
    for now, was in zip(opt.state_dict()["state"], states["state"], strict=True):
        assert all((now[name] == was[name]).all() for name in was)
    assert all((g == 0).all() for g in spike)
    assert opt.clip_norm.spikes == 1 + states["options"]["clip_norm"].spikes


def test_skip_counts_the_largest_usual_norm_so_that_a_new_level_is_taken():
    grads = gradients(300)
    grads[100:] = [[50 * a for a in g] for g in grads[100:]]
    opt = lrcore.SGD(params(), clip_norm=ZClip(skip=True))
    taken = [opt.step(g) for g in grads]
    assert not any(taken[100:110])
    assert all(taken[200:])
    wanted, *_ = zclip_limits([norm(g) for g in grads], 2.5, 0.97, 25, "max", skip=True)
    assert taken == [bool(w == norm(g)) for w, g in zip(wanted, grads, strict=True)]


@pytest.mark.parametrize("how", [{"skip": True}, {"mode": "max"}])
def test_a_new_level_is_taken_after_norms_that_were_all_equal(how):
    """Their deviation is 0, and that of a norm clipped to their mean would be, too."""
    opt = lrcore.SGD(np.zeros(1), clip_norm=ZClip(**how))
    for level in [1.0] * 40 + [3.0] * 300:
        opt.step(np.array([level]))
    assert opt.clip_norm.spikes < 250
    assert opt.clip_norm.mean == pytest.approx(3, rel=0.1)


def test_a_norm_that_is_not_finite_is_not_counted():
    opt = lrcore.SGD(params(), clip_norm="zclip", skip_nonfinite=True)
    good, bad = gradients(2)
    bad[1][7] = np.inf
    assert opt.step(good)
    assert not opt.step(bad)
    assert opt.clip_norm.counted == 1
    assert opt.clip_norm.mean == pytest.approx(norm(good), rel=1e-12)


def test_norms_are_those_of_the_mean_of_gathered_gradients():
    opt = lrcore.SGD(
        params(),
        clip_norm=ZClip(warmup=2),
        accumulate=2,
        grad_scale=0.5,
        clip_value=1.0,
    )
    grads = gradients(4)
    assert [opt.step(g) for g in grads] == [False, True, False, True]
    means = [
        norm(np.clip((a + b) / 4, -1, 1) for a, b in zip(*two, strict=True))
        for two in (grads[:2], grads[2:])
    ]
    assert opt.clip_norm.mean == pytest.approx(np.mean(means), rel=1e-12)


def test_a_spike_does_not_halve_the_loss_scale():
    opt = lrcore.SGD(params(), clip_norm=ZClip(warmup=3, skip=True))
    scaler = lrcore.LossScaler(8.0)
    for g in gradients(10):
        scaler.step(opt, g)
    assert not scaler.step(opt, *gradients(1, (0,)))
    assert scaler.scale == 8.0
    bad = params()
    bad[0][0] = np.nan
    assert not scaler.step(opt, bad)
    assert scaler.scale == 4.0


def adagc(norms, factor, decay, warmup, most):
    """Norms after clipping [step, array], by Algorithm 1 of Wang et al. 2025."""
    means, kept = np.full(norms.shape[1], np.inf), []
    for t, g in enumerate(norms):
        if t < warmup:
            n = g * min(1.0, most / np.sqrt((g**2).sum()))
            means = np.minimum(means, n)
        else:
            n = g * np.minimum(1.0, factor * means / g)
            means = decay * means + (1 - decay) * n
        kept.append(n)
    return np.array(kept), means


@pytest.mark.parametrize("most", [2.0, 1e9])
def test_adagc_clips_to_the_norms_of_the_paper(most):
    grads = gradients(60, spikes=(20, 33))
    opt = lrcore.SGD(
        params(), lr=1.0, telemetry=True, clip_tensor_norm=AdaGC(1.2, 0.9, 10, most)
    )
    found = []
    for g in grads:
        opt.step(g)
        found.append([r.update_norm for r in opt.reports("tensor").values()])
    norms = np.array([[norm([a]) for a in g] for g in grads])
    wanted, means = adagc(norms, 1.2, 0.9, 10, most)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose([s["norm_mean"] for s in opt.state], means, rtol=1e-12)


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


def test_adagc_leaves_out_norms_of_zero_and_arrays_without_gradient():
    opt = lrcore.SGD(params(), lr=1.0, clip_tensor_norm=AdaGC(warmup=2))
    zeros, (one, two) = params(), gradients(2)
    opt.step(zeros)
    assert [float(s["norm_mean"]) for s in opt.state] == [0, 0, 0]
    opt.step([one[0], None, one[2]])
    means = [float(s["norm_mean"]) for s in opt.state]
    assert means[1] == 0
    assert min(means[0], means[2]) > 0
    opt.step(two)  # the second step of the second array, after its warm-up of one
    assert opt.state[1]["norm_mean"] > 0


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
