"""The constructors' types, which mypy makes of the fields: it checks this file, too.

A call that mypy takes for wrong has a ``type: ignore``; one that it does not need is an
error (``warn_unused_ignores``).
"""

from collections.abc import Callable
from typing import assert_type

import numpy as np

import lrcore
from lrcore.schedules import Linear

p = np.ones(3)


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except (TypeError, ValueError):
        return True
    return False


def test_arguments_are_taken_by_place_and_by_keyword() -> None:
    adam = lrcore.Adam(p, 1e-3, (0.9, 0.999), 1e-8, 0.1, True, maximize=True)
    assert_type(adam, lrcore.Adam)
    assert adam.amsgrad
    assert adam.maximize
    decayed = lrcore.AdamW(params={"w": p}, lr=1, convention="keras", denormals="keep")
    assert decayed.weight_decay == 4e-3
    larger = lrcore.LARS(p, 0.1, 0.9, 0.0, 0.0, False, 1e-2, 1e-8, lr_in_momentum=True)
    assert larger.trust_coefficient == 1e-2
    assert lrcore.Muon(p, 0.1, adjust_lr_fn="transposed").adam_betas == (0.9, 0.999)


def test_numbers_are_scheduled_and_read_as_numbers() -> None:
    betas = (Linear(0.5, 0.9, 10), 0.99)
    opt = lrcore.Adam(p, lr=lambda t: 0.1, betas=betas, clip_norm=Linear(1.0, 2.0, 3))
    assert_type(opt.lr, float)
    assert_type(opt.betas, tuple[float, float])
    assert_type(opt.ema_decay, float | None)
    assert (opt.lr, opt.betas) == (0.1, (0.5, 0.99))
    opt.lr = Linear(0.5, 0.1, 10)
    opt.betas = lambda t: (0.5, 0.6)
    assert (opt.lr, opt.betas) == (0.5, (0.5, 0.6))


def test_groups_and_mixtures_are_typed() -> None:
    opt = lrcore.AdamW(p, groups={"*": {"lr_scale": Linear(0.0, 1.0, 9)}})
    assert_type(opt.param_groups[0].paths, list[str])
    params = {"a": {"W": p}, "b": p + 1}
    mixed = lrcore.Mixed(
        {"*.W": (lrcore.Muon, {"lr": 0.02}), "*": lrcore.AdamW}, params, clip_norm=1.0
    )
    assert_type(mixed, lrcore.Mixed)
    assert_type(mixed.lr, float)
    assert mixed.param_groups[0].optimizer is lrcore.Muon


def test_what_is_wrong_is_wrong_to_mypy_too() -> None:
    wrong = [
        lambda: lrcore.AdamW(p, lr="x"),  # type: ignore[arg-type]
        lambda: lrcore.AdamW(p, betas=0.9),  # type: ignore[arg-type]
        lambda: lrcore.AdamW(p, nesterov=True),  # type: ignore[call-arg]
        lambda: lrcore.SGD(p, 0.1, 0.9, 0.0, 0.0, True, True),  # type: ignore[call-arg]
        lambda: lrcore.AdamW(),  # type: ignore[call-arg]
        lambda: lrcore.ASGD(p, t0=lambda t: 1.0),  # type: ignore[arg-type]
        lambda: lrcore.AdamW(p, convention="jax"),  # type: ignore[arg-type]
        lambda: lrcore.AdamW(p, groups=[("*", {})]),  # type: ignore[arg-type]
        lambda: lrcore.Mixed([lrcore.AdamW], p),  # type: ignore[arg-type]
        lambda: lrcore.Mixed({"*": 3}, p),  # type: ignore[dict-item]
        lambda: lrcore.AdamWScheduleFree(p, momentum=0.9),  # type: ignore[call-arg]
    ]
    assert all(map(refused, wrong))
