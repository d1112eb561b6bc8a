"""Matrices of given singular values, and what Newton and Schulz make of them."""

import numpy as np

MUON = (3.4445, -4.775, 2.0315)
# The coefficients of Polar Express (Amsel et al. 2025), rounded.
POLAR = (
    (8.2872, -23.5959, 17.3004),
    (4.1071, -2.9478, 0.5448),
    (3.9487, -2.9089, 0.5518),
    (3.3184, -2.4885, 0.51),
    (2.3007, -1.6689, 0.4188),
    (1.8913, -1.268, 0.3768),
)


def matrix(shape, values, dtype=np.float64, order="C"):
    """A matrix with these singular values."""
    rng = np.random.default_rng(3)
    short, long = sorted(shape)
    u, _ = np.linalg.qr(rng.standard_normal((short, short)))
    v, _ = np.linalg.qr(rng.standard_normal((long, short)))
    x = (u * values) @ v.T
    return np.array(x if shape == (short, long) else x.T, dtype, order=order)


def expected(x, terms, eps=1e-7):
    """The result of the iterations, by the singular values of x in float64."""
    u, s, v = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    s /= max(np.sqrt((s * s).sum()), eps)
    for a, b, c in terms:
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ v
