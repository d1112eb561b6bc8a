"""Functions of a vector: bowls and valleys."""

import numpy as np

from .base import Problem, generator


def function(
    name, kind, loss_and_grad, params, size, noise=0.0, degrees=None, steps=300
):
    """A function whose minimum each batch shifts by noise, in each coordinate.

    degrees : of Student's t, by which the noise is distributed; None: normal.
    """

    def batches(rng):
        while True:
            if degrees:
                yield noise * rng.standard_t(degrees, size)
            else:
                yield noise * rng.normal(size=size) if noise else 0.0

    def at(p, shift):
        return loss_and_grad(p - shift)

    def full_loss(p):
        return loss_and_grad(p)[0]

    return Problem(name, kind, steps, params, batches, at, full_loss)


def bowl(name, size, condition, steepest=1.0, **more):
    """A rotated quadratic; each axis has the same share of the initial loss."""
    rng = generator(name)
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    lowest = rng.normal(size=size)  # not at 0, which weight decay would find
    curvatures = steepest * np.geomspace(1, 1 / condition, size)
    hessian = turn * curvatures @ turn.T

    def loss_and_grad(p):
        g = hessian @ (p - lowest)
        return 0.5 * float((p - lowest) @ g), g

    def params(rng):
        away = rng.normal(size=size) * (steepest / curvatures) ** 0.5
        return lowest + turn @ away

    return function(name, "bowl", loss_and_grad, params, size, **more)


def rosenbrock(name, start, **more):
    """The valley of Rosenbrock 1960, beginning near a point on its floor."""
    start = np.array(start)
    origin = generator(name).normal(size=start.size)

    def loss_and_grad(p):
        p = p - origin
        x, y = p[:-1], p[1:]
        across, along = y - x * x, 1 - x
        g = np.zeros_like(p)
        g[:-1] = -400 * x * across - 2 * along
        g[1:] += 200 * across
        return float(100 * across @ across + along @ along), g

    def params(rng):
        return origin + start + 0.03 * rng.normal(size=start.size)

    return function(name, "valley", loss_and_grad, params, start.size, **more)


PROBLEMS = [
    bowl("bowl-1", 10, 1),
    bowl("bowl-10", 20, 10),
    bowl("bowl-100", 20, 100),
    bowl("bowl-1000", 10, 1e3, steps=500),
    bowl("bowl-10000", 30, 1e4, steps=600),
    bowl("bowl-steep", 10, 30, steepest=1e3),
    bowl("bowl-noisy", 10, 10, noise=0.3),
    bowl("bowl-noisy-1000", 20, 1e3, steepest=30.0, noise=0.3, steps=500),
    rosenbrock("valley-2", [-1.2, 1.44], steps=600),
    rosenbrock("valley-10", [0.0] * 10, steps=600),
    rosenbrock("valley-4-noisy", [0.0] * 4, noise=0.03, steps=600),
    rosenbrock("valley-10-noisy", [0.0] * 10, noise=0.03, steps=600),
]
