"""Muon: its momentum, coefficients of each iteration, and buffers."""

import copy
import gc
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from helpers import each_dtype, same_bits, snapshot
from spectra import MUON, POLAR, expected, matrix

import lrcore
from lrcore import reference
from lrcore.optimizers import _orthogonal

pytestmark = pytest.mark.isa


# --- the momentum ---------------------------------------------------------------------


class Undirected(lrcore.Muon):
    """Muon by the rule's directions, which it notes."""

    __slots__ = ()
    seen: list

    @staticmethod
    def _fold_directions(h):
        return lambda arrays, buffers: Undirected.seen.extend(snapshot(arrays))


@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dampen", [False, True])
@each_dtype
def test_the_momentum_is_the_references_to_the_bit(
    dampen, nesterov, bias_correction, dtype
):
    """The directions are made from it, with clipped and gathered gradients."""
    rng = np.random.default_rng(1)
    p = rng.standard_normal((50, 90)).astype(dtype)
    m, mu, w = np.zeros_like(p), 0.9, 1 - 0.9 if dampen else 1.0
    opt = Undirected(
        p, lr=0.1, momentum=mu, dampen=dampen, nesterov=nesterov,
        bias_correction=bias_correction, accumulate=2, clip_value=0.5, l2=0.1,
        maximize=True, weight_decay=0.2, num_threads=2, zero_grads=True,
    )  # fmt: skip
    opt._plan.parallel_from = 1
    for t in range(1, 4):
        grads = [rng.standard_normal(p.shape).astype(dtype) for _ in range(2)]
        mean = 0.5 * (grads[0] + grads[1])
        Undirected.seen = []
        before = p.copy()
        opt.step(grads[0])
        opt.step(grads[1])
        now, ahead = 1 - mu**t, 1 - mu ** (t + 1)
        now, ahead = (now, ahead) if bias_correction else (1.0, 1.0)
        coefs = (mu, w, w / now, mu / ahead) if nesterov else (mu, w, 0.0, 1 / now)
        u = np.zeros_like(p)
        reference.step(
            "nesterov", u, np.clip(mean, -0.5, 0.5), [m], (1.0, 0.0, 1.0, -1.0, *coefs)
        )
        assert same_bits(opt.state[0]["m"], m)
        assert Undirected.seen == snapshot([u])
        reference.step("sgd", before, u, [], (-1.0, 0.1, 1 - 0.1 * 0.2, 0.1))
        assert same_bits(p, before)
        assert not grads[1].any()


# --- coefficients of each iteration ---------------------------------------------------


def stepped(**hyper):
    p = np.zeros((4, 9))
    g = matrix(p.shape, np.linspace(1, 0.1, 4))
    lrcore.Muon(p, lr=1.0, weight_decay=0.0, nesterov=False, **hyper).step(g)
    return -p, 0.05 * g


def test_each_iteration_has_its_coefficients():
    """If there are fewer than iterations, the last one goes on."""
    for n in (6, 8):
        p, m = stepped(ns_coefficients=POLAR, ns_steps=n)
        terms = [*POLAR, *[POLAR[-1]] * (n - 6)]
        np.testing.assert_allclose(p, expected(m, terms), atol=1e-12)
    one, _ = stepped(ns_coefficients=MUON)
    for same in ([MUON], [MUON] * 5, np.array([MUON] * 5), lambda t: [MUON] * 3):
        assert same_bits(stepped(ns_coefficients=same)[0], one)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            POLAR,
            r"ns_coefficients: expected at most ns_steps = 5 triples, found 6; set",
        ),
        ([(1, 2)], r"ns_coefficients\[0\]: expected 3 numbers, found \(1, 2\)"),
        ([MUON, (1, "2", 3)], r"ns_coefficients\[1\]\[1\]: expected a finite number"),
        ([MUON, (1, max, 3)], r"ns_coefficients\[1\]\[1\]: expected a finite number"),
        (
            [],
            "ns_coefficients: expected 3 numbers, or a sequence of such triples, found",
        ),
        (
            [MUON, 1],
            "ns_coefficients: expected 3 numbers, or a sequence of such triples",
        ),
        (np.array(1.0), "ns_coefficients: expected 3 numbers, or a sequence"),
    ],
)
def test_wrong_coefficients_are_refused_before_anything_changes(given, error):
    p = np.ones((2, 3))
    with pytest.raises((TypeError, ValueError), match=error):
        lrcore.Muon(p, ns_coefficients=given)
    opt = lrcore.Muon(p)
    with pytest.raises((TypeError, ValueError), match=error):
        opt.ns_coefficients = given
    assert opt.ns_coefficients == MUON
    opt.ns_coefficients = lambda t: given if t else MUON
    assert opt.step(np.ones((2, 3)))
    before = snapshot([p, opt.state[0]["m"]])
    with pytest.raises((TypeError, ValueError), match=error):
        opt.step(np.ones((2, 3)))
    assert snapshot([p, opt.state[0]["m"]]) == before
    assert opt.t == 1


def test_fewer_iterations_than_coefficients_are_refused():
    """With the number of coefficients that there are; so both can be changed."""
    opt = lrcore.Muon(np.ones((2, 3)), ns_coefficients=[MUON] * 4)
    with pytest.raises(ValueError, match=r"at most ns_steps = 3 triples, found 4"):
        opt.ns_steps = 3
    opt.ns_coefficients = [MUON] * 2
    opt.ns_steps = 3
    assert (opt.ns_steps, opt.ns_coefficients) == (3, (MUON, MUON))


def test_coefficients_are_saved():
    params = [np.ones((2, 3)), np.ones((2, 3))]
    opts = [lrcore.Muon(p, ns_coefficients=POLAR[:5]) for p in params]
    saved = opts[0].state_dict()
    saved["param_groups"][0]["ns_coefficients"] = [list(t) for t in POLAR[:3]]  # JSON's
    opts[1].load_state_dict(saved)
    assert opts[1].ns_coefficients == POLAR[:3]
    assert "ns_coefficients=((8.2872, -23.5959, 17.3004)," in repr(opts[1])


# --- buffers --------------------------------------------------------------------------


LARGE = [(300, 300), (150, 700), (700, 150)]


def made(shapes=LARGE, **hyper):
    params = [np.ones(shape, np.float32) for shape in shapes]
    return params, lrcore.Muon(params, **hyper)


def grads_of(params, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(p.shape).astype(p.dtype) for p in params]


@pytest.mark.parametrize("shape", LARGE)
def test_a_step_allocates_no_matrix(shape):
    """Also if it is of another shape than the last, or of a smaller part."""
    small = (shape[0] // 2, shape[1] // 3)
    params, opt = made([shape, small, shape[::-1], (5, 5)], lr=lambda t: 0.1)
    grads = grads_of(params)
    opt.step(grads)
    tracemalloc.start()
    try:
        opt.step(grads)
        opt.lr = 0.2
        opt.step(grads)
        opt.step([grads[0], None, grads[2], None])
        for k, g in enumerate(grads):
            opt.step_one(k, g)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * 4 * min(shape) ** 2  # a tenth of its G


def test_buffers_are_for_the_largest_matrix_and_end_with_the_optimizer():
    tracemalloc.start()
    try:
        params, opt = made([(30, 30), (200, 900), (300, 300), (20, 30)])
        grads = grads_of(params)
        before, _ = tracemalloc.get_traced_memory()
        opt.step(grads)
        stepped, _ = tracemalloc.get_traced_memory()
        side = 300 + _orthogonal.PAD
        bytes_of = 4 * (200 * 900 + 3 * 300 * side + 200 * 200)
        assert stepped - before == pytest.approx(bytes_of, rel=0.05)
        del opt
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        assert after < before
    finally:
        tracemalloc.stop()


def test_buffers_are_no_part_of_a_copy_or_of_what_is_saved():
    params, opt = made()
    opt.step(grads_of(params))
    states = sum(a.nbytes for state in opt.state for a in state.values())
    held = sum(p.nbytes for p in params)
    assert len(pickle.dumps(opt)) < 1.01 * (held + states / 2)  # params and m
    twins, twin = copy.deepcopy((params, opt))
    loaded, other = made()
    other.load_state_dict(opt.state_dict())
    for p, q in zip(params, loaded, strict=True):
        q[...] = p
    for seed in range(1, 3):
        for own, each in ((params, opt), (twins, twin), (loaded, other)):
            each.step(grads_of(own, seed))
    for p, q, r in zip(params, twins, loaded, strict=True):
        assert same_bits(p, q)
        assert same_bits(p, r)


def test_a_larger_matrix_can_be_added():
    params, opt = made([(20, 30)])
    opt.step(grads_of(params))
    more = np.ones((300, 500), np.float32)
    opt.add_group(more)
    opt.step([grads_of(params), grads_of([more])[0]])
    alone, twin = made([(300, 500)])
    twin.step(grads_of(alone))
    assert same_bits(more, alone[0])


def test_two_threads_step_two_optimizers():
    def work(k):
        params, opt = made([(300, 300), (64, 700)])
        for seed in range(4):
            opt.step(grads_of(params, seed))
        results[k] = snapshot(params)

    results = {}
    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work("alone")
    assert results[0] == results[1] == results["alone"]
