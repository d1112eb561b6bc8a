"""The fields of every optimizer, and those that several families have."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any, Literal

from lrcore._shared.domains import (
    AXES,
    FLAG,
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    SHARE,
    choice,
    count,
)
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Bound,
    Count,
    Field,
    Fixed,
    Flag,
    Number,
    Pair,
    Scheduled,
)
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.options import DENORMALS, NUM_THREADS, Option

LR: Number = Field(1e-3, NONNEGATIVE, "Learning rate.")
COUPLED: Number = Field(
    0.0,
    NONNEGATIVE,
    "Added to the gradient as ``weight_decay * p`` (an L2 penalty).",
)
DECOUPLED: Number = COUPLED.but(
    doc="Each step multiplies p by ``1 - lr * weight_decay``."
)
BETAS: Pair = Field(
    (0.9, 0.999),
    (FRACTION, FRACTION),
    "Decay of the running means of g and of its square.",
)
EPS: Number = Field(1e-8, NONNEGATIVE, "Added to the root, in units of g.")
LR_IN_MOMENTUM: Flag = Field(
    False,
    FLAG,
    "Multiply by lr what enters m: a change of lr then acts on later gradients only.",
)


class Terms(Kind):
    """What stands in the equation of a step: a kernel takes it, too."""

    __slots__ = ()

    params: InitVar[Any]
    lr: Number = LR
    _: KW_ONLY
    l2: Number = Field(
        0.0,
        NONNEGATIVE,
        "L2 penalty, always coupled: added to the gradient as ``l2 * p``.",
    )
    maximize: Flag = Field(False, FLAG, "Ascend instead of descend.")
    decoupled_weight_decay: Flag = Field(
        False,
        FLAG,
        "Whether ``weight_decay`` multiplies p by ``1 - lr * weight_decay`` in each "
        "step (Loshchilov & Hutter 2019) or is an L2 penalty.",
    )
    independent_weight_decay: Flag = Field(
        False,
        FLAG,
        "Whether a decoupled decay leaves lr out: ``1 - weight_decay``.",
    )


class Averages(Kind):
    """The averages of the params."""

    __slots__ = ()

    _: KW_ONLY
    ema_decay: Bound = Field(
        None,
        FRACTION.or_none(),
        "Keep the exponential moving average ``ema``: after the first step it is p, "
        "then ``ema = ema_decay * ema + (1 - ema_decay) * p``.  None keeps none.",
    )
    swa_start: Field[int | None, int | None] = Field(
        None,
        count(0).or_none(),
        "Keep ``swa``, the mean of p after this step and each `swa_every` steps from "
        "there (Izmailov et al. 2018); until then it is p.  None keeps none.",
    )
    swa_every: Count = Field(1, count(1), "Steps from one p in ``swa`` to the next.")
    lookahead_steps: Field[int | None, int | None] = Field(
        None,
        count(1).or_none(),
        "Lookahead (Zhang et al. 2019, Algorithm 1): each `lookahead_steps` steps, "
        "``slow = slow + lookahead_alpha (p - slow)``, ``p = slow``.  None does not.",
    )
    lookahead_alpha: Number = Field(0.5, SHARE, "How far ``slow`` goes to p.")


class Mechanics(Kind):
    """Mechanic, which learns the scale of the steps."""

    __slots__ = ()

    _: KW_ONLY
    mechanic: Flag = Field(
        False,
        FLAG,
        "Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm 1, as in optax): where "
        "the rule moves p by -u, ``delta = delta + u``, ``p = p0 - s delta``, where "
        "the scale s, of all arrays of a group (of Muon's: that its rule is for, and "
        "the others), is learned.  Set lr to 1, or let it fall from there: u passes "
        "through p, in whose rounding a smaller one is lost.  ``report.lr`` is lr s.  "
        "It keeps two more arrays like p; not for an optimizer that finds its rate, "
        "FTRL or MADGRAD, and not advised for LARS and LAMB.",
    )
    mechanic_s_init: Fixed = Field(
        1e-6, POSITIVE, "The first scale s of Mechanic.", initial=True
    )
    mechanic_decay: Number = Field(
        0.01, NONNEGATIVE, "How strongly Mechanic draws p to 0."
    )


class Gradients(Kind):
    """How gradients are treated before the rule, in this order."""

    __slots__ = ()

    _: KW_ONLY
    grad_scale: Option[Scheduled] = Option(
        1.0, POSITIVE, "What gradients are multiplied by first: 1 / loss scale."
    )
    accumulate: Option[int] = Option(
        1,
        count(1),
        "How many calls of `step` gather gradients for one update, with their mean, "
        "in the last of them; the others return False.",
    )
    clip_value: Bound = Field(
        None,
        POSITIVE.or_none(),
        "Clip each element of the gradients to [-clip_value, clip_value].",
    )
    clip_tensor_norm: Bound = Field(
        None,
        POSITIVE.or_none(),
        "Scale each array's gradient down to this norm at most.",
    )
    agc: Bound = Field(
        None,
        POSITIVE.or_none(),
        "Adaptive gradient clipping (Brock et al. 2021, eq. 3): scale the gradient g "
        "of each unit w down to the norm ``agc * max(|w|, agc_eps)``.  Needs "
        "`agc_axis`.",
    )
    agc_axis: Field[
        tuple[int, ...] | None, int | tuple[int, ...] | list[int] | None
    ] = Field(
        None,
        AXES.or_none(),
        "The axes that a unit's norm is taken over, neighbours: 0 for the columns of a "
        "matrix, (1, 2, 3) for the filters of a convolution that axis 0 counts.  Those "
        "that an array lacks are left out; an array of at most one dimension is a "
        "unit.",
    )
    agc_eps: Number = Field(1e-3, POSITIVE, "The least norm of a unit that counts.")
    clip_norm: Option[Scheduled | None] = Option(
        None,
        POSITIVE.or_none(),
        "Scale all gradients by ``min(1, clip_norm / (norm + clip_eps))``, with the "
        "norm of all of them (Pascanu et al. 2013).",
    )
    clip_eps: Option[Scheduled] = Option(
        0.0, NONNEGATIVE, "Added to the norm that `clip_norm` bounds; torch has 1e-6."
    )
    skip_nonfinite: Option[bool] = Option(
        False,
        FLAG,
        "Where an element of a gradient is infinite or NaN, leave params, states and "
        "`t` as they are; `step` returns False.  If False, it is not looked for, and a "
        "norm that is not finite clips nothing.",
    )


class Running(Kind):
    """How the whole optimizer runs."""

    __slots__ = ()

    _: KW_ONLY
    zero_grads: Option[bool] = Option(
        False, FLAG, "Set the gradients to 0 once they have been used, or skipped."
    )
    telemetry: Option[bool] = Option(
        False, FLAG, "Keep `report`: norms, clipping, the update-to-weight ratio."
    )
    convention: Option[Literal["torch", "keras", "optax", "paper"]] = Option(
        "torch",
        choice("torch", "keras", "optax", "paper"),
        "Whose defaults and flags to take.",
        initial=True,
    )
    num_threads: Option[int | None] = Option(
        None,
        NUM_THREADS,
        "The most threads that a step takes; None for ``lrcore.get_num_threads()``.",
    )
    denormals: Option[Literal["flush", "keep"]] = Option(
        "flush",
        DENORMALS,
        "Whether numbers below the smallest normal one (1.2e-38 in float32) count as "
        "0.  The state of a weight whose gradient stays 0 decays into them, and many "
        "processors are slow there.",
    )


class Common(Terms, Averages, Mechanics, Gradients, Running):
    """What every optimizer takes."""

    __slots__ = ()
