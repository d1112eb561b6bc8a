"""Small problems to train on: networks, linear models, likelihoods, games, and others.

A problem's data are fixed; a seed draws its initial params and the order of its
batches (`Problem.start`).  Functions compute in the precision of the params, so that
gradients can be checked in float64.

Each module has a family of problems.  New ones are appended, as a problem's place among
those of its kind decides in which half of the runs it is, and by which optimizers it is
trained.
"""

from . import (
    adversarial,
    clicks,
    contrastive,
    diffusion,
    disturbed,
    functions,
    heavy,
    likelihoods,
    linear,
    models,
    networks,
    policies,
    q_learning,
    scales,
    starts,
    survival,
    text,
    vae,
)
from .base import GROUPS, Problem

__all__ = ["GROUPS", "PROBLEMS", "STANDARD", "Problem", "by_name"]

STANDARD = [
    *functions.PROBLEMS,
    *linear.PROBLEMS,
    *networks.PROBLEMS,
    *models.PROBLEMS,
]
"""Problems by whose losses optimizers can be compared: at least 0, undisturbed."""

PROBLEMS = [
    *STANDARD,
    *likelihoods.PROBLEMS,
    *vae.PROBLEMS,
    *starts.PROBLEMS,
    *heavy.PROBLEMS,
    *disturbed.PROBLEMS,
    *clicks.PROBLEMS,
    *survival.PROBLEMS,
    *contrastive.PROBLEMS,
    *text.PROBLEMS,
    *diffusion.PROBLEMS,
    *scales.PROBLEMS,
    *policies.PROBLEMS,
    *q_learning.PROBLEMS,
    *adversarial.PROBLEMS,
]


def by_name(name):
    """Return the problem with this name."""
    for problem in PROBLEMS:
        if problem.name == name:
            return problem
    raise ValueError(f"name: expected a problem's, found {name!r}")
