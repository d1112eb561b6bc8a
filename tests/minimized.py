"""What the tests of lrcore.scipy minimize."""

import lrcore
import lrcore.scipy


def quadratic(x, centre=1.0):
    return float(((x - centre) ** 2).sum())


def slope(x, centre=1.0):
    return 2 * (x - centre)


def sgd(**more):
    return lrcore.scipy.method("SGD", lr=0.25, **more)
