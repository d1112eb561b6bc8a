"""Adam by others, each as a function that takes one step on arrays of its own.

A peer is made for a list of float32 arrays and their gradients, and keeps what it
needs. Before anything is timed, agrees() holds its update to ours.
"""

import ctypes
import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import lrcore

LR, B1, B2, EPS = 1e-3, 0.9, 0.999, 1e-8


def lrcore_(params, grads, threads):
    opt = lrcore.Adam(params, lr=LR, betas=(B1, B2), eps=EPS, num_threads=threads)
    if len(params) == 1:
        opt = lrcore.Adam(params[0], lr=LR, num_threads=threads)
        grads = grads[0]
    step = opt.step
    return lambda: step(grads)


def textbook(params, grads, threads):
    m = [np.zeros_like(p) for p in params]
    v = [np.zeros_like(p) for p in params]
    t = 0

    def step():
        nonlocal t
        t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m[i] = B1 * m[i] + (1 - B1) * g
            v[i] = B2 * v[i] + (1 - B2) * g**2
            m_hat = m[i] / (1 - B1**t)
            v_hat = v[i] / (1 - B2**t)
            p -= LR * m_hat / (np.sqrt(v_hat) + EPS)

    return step


def torch_fused(params, grads, threads):
    import torch

    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(p).requires_grad_() for p in params]
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.from_numpy(g)
    opt = torch.optim.Adam(tensors, lr=LR, betas=(B1, B2), eps=EPS, fused=True)
    return opt.step


def numba_loop(params, grads, threads):
    import numba

    numba.set_num_threads(threads)
    loop = _numba_adam(threads > 1)
    f = np.float32
    m = [np.zeros_like(p) for p in params]
    v = [np.zeros_like(p) for p in params]
    t = 0

    def step():
        nonlocal t
        t += 1
        lr, r = f(LR / (1 - B1**t)), f(1 / math.sqrt(1 - B2**t))
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            loop(p, g, m[i], v[i], lr, f(1 - B1), f(1 - B2), r, f(EPS))

    return step


_numba_cache = {}


def _numba_adam(parallel):
    import numba

    if parallel not in _numba_cache:

        @numba.njit(parallel=parallel, error_model="numpy")
        def loop(p, g, m, v, lr, w1, w2, r, eps):
            for i in numba.prange(len(p)):
                m[i] += w1 * (g[i] - m[i])
                v[i] += w2 * (g[i] * g[i] - v[i])
                p[i] -= lr * (m[i] / (np.sqrt(v[i]) * r + eps))

        _numba_cache[parallel] = loop
    return _numba_cache[parallel]


def traffic(params, grads, threads):
    """The same bytes moved by a C loop, without the arithmetic: the limit."""
    run = _traffic_library().traffic
    m = [np.zeros_like(p) for p in params]
    v = [np.zeros_like(p) for p in params]
    pointer = ctypes.c_void_p
    calls = [
        (*(pointer(a.ctypes.data) for a in arrays), ctypes.c_size_t(arrays[0].size))
        for arrays in zip(params, grads, m, v, strict=True)
    ]
    kept = (params, grads, m, v)

    def step(_=kept):
        for arguments in calls:
            run(*arguments, threads)

    return step


def _traffic_library():
    folder = tempfile.mkdtemp()
    source = Path(__file__).with_name("traffic.c")
    command = ["gcc", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    subprocess.run([*command, str(source), "-o", f"{folder}/t.so"], check=True)
    return ctypes.CDLL(f"{folder}/t.so")


PEERS = {
    "NumPy textbook": textbook,
    "torch fused": torch_fused,
    "numba": numba_loop,
}


def network(elements, arrays, seed=0):
    rng = np.random.default_rng(seed)
    make = rng.standard_normal
    return [make(elements, dtype=np.float32) for _ in range(arrays)]


def agrees(peer):
    """Whether three steps of a peer end where ours do, within float32 rounding."""
    params, grads = network(1000, 3), network(1000, 3, seed=1)
    ours, theirs = [p.copy() for p in params], [p.copy() for p in params]
    for step in (lrcore_(ours, grads, 1), peer(theirs, grads, 2)):
        for _ in range(3):
            step()
    return all(
        np.allclose(a, b, rtol=1e-5, atol=1e-6)
        for a, b in zip(ours, theirs, strict=True)
    )
