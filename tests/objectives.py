"""Objectives of the searches in these tests."""

import numpy as np

from lrcore import space

LR = {"lr": space.lr(1e-4, 10.0)}


def bowl(params):
    """The loss after each of 9 steps of gradient descent; it grows from lr 2 on."""
    w = 3.0
    for _ in range(9):
        w -= params["lr"] * w
        yield w * w


def final(params):
    *_, loss = bowl(params)
    return loss


def singular(params):
    if params["lr"] > 0.1:
        raise np.linalg.LinAlgError("singular")
    yield params["lr"]
