"""The fields of every optimizer, and those that several families have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import InitVar
from typing import Any, Literal

from lrcore._shared.domains import (
    AXES,
    FLAG,
    FRACTION,
    FUNCTION,
    NONNEGATIVE,
    POSITIVE,
    SHARE,
    choice,
    count,
)
from lrcore.optimizers.base.adagc import AdaGC
from lrcore.optimizers.base.by_path import PATTERNS
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Bound,
    Count,
    Field,
    Fixed,
    Flag,
    Number,
    Pair,
    Rate,
    Scheduled,
)
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.options import COMM, DENORMALS, NUM_THREADS, Option
from lrcore.optimizers.base.spikes import CLIP_NORM, CLIP_TENSOR_NORM, ZClip

LR: Number = Rate(1e-3, NONNEGATIVE, "Learning rate.")
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
    "Apply lr before the momentum m: a change of lr then acts on later gradients only.",
)


class Terms(Kind):
    """The terms in the equation of a step; kernels take them, too."""

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
        "Whether decoupled decay ignores lr: its factor is ``1 - weight_decay``.",
    )


DECOUPLES: Flag = Terms.decoupled_weight_decay.but(True)


class Grouping(Kind):
    """Groups of the params by the paths of arrays."""

    __slots__ = ()

    _: KW_ONLY
    lr_scale: Number = Field(
        1.0,
        NONNEGATIVE,
        "Multiplies lr: a group's factor, which stays when lr is set, scheduled or "
        "multiplied.",
    )
    groups: Option[Mapping[str, Mapping[str, Any]] | None] = Option(
        None,
        PATTERNS.or_none(),
        'Groups by name: ``{"*.bias": dict(weight_decay=0.0), "layers.0.*": '
        "dict(lr_scale=0.1)}``.  The name of an array is its path with dots: "
        '``layers.0.bias`` for ``params["layers"][0]["bias"]``; of a named tuple, it '
        "has the fields.  Patterns are those of ``fnmatch``: ``*`` matches any "
        "characters, dots too, ``?`` matches one, ``[0-3]`` one of these; upper and "
        "lower case differ.  ``*.bias`` also matches the name ``bias``.  A path as "
        "messages print it, ``['layers'][0]['bias']``, is the pattern of that array.  "
        "The first pattern that matches counts; the arrays that match none are the "
        "first group, with the optimizer's own hyper-parameters.",
        initial=True,
    )


class Averages(Kind):
    """The averages of the params."""

    __slots__ = ()

    _: KW_ONLY
    ema_decay: Bound = Field(
        None,
        FRACTION.or_none(),
        "Keep the exponential moving average ``ema``: after the first step it is p, "
        "then ``ema = ema_decay * ema + (1 - ema_decay) * p``.  None: no average.",
    )
    swa_start: Field[int | None, int | None] = Field(
        None,
        count(0).or_none(),
        "Keep ``swa``, the mean of p after this step and every `swa_every` steps from "
        "then on (Izmailov et al. 2018); before, it is p.  None: no average.",
    )
    swa_every: Count = Field(1, count(1), "Number of steps between two p in ``swa``.")
    lookahead_steps: Field[int | None, int | None] = Field(
        None,
        count(1).or_none(),
        "Lookahead (Zhang et al. 2019, Algorithm 1): every `lookahead_steps` steps, "
        "``slow = slow + lookahead_alpha (p - slow)``, ``p = slow``.  None: off.",
    )
    lookahead_alpha: Number = Field(0.5, SHARE, "How far ``slow`` moves to p.")


class Mechanics(Kind):
    """Mechanic, which learns the scale of the steps."""

    __slots__ = ()

    _: KW_ONLY
    mechanic: Flag = Field(
        False,
        FLAG,
        "Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm 1, as in optax): when "
        "the rule moves p by -u, ``delta = delta + u``, ``p = p0 - s delta``.  The "
        "scale s is learned, one for all arrays of a group (Muon has another one for "
        "its AdamW arrays).  Set lr to 1, or let it fall from 1: u passes through p, "
        "and a small u is lost in the rounding of p.  ``report.lr`` is lr s.  "
        "Mechanic keeps two more arrays like p.  Optimizers that find their rate, "
        "FTRL and MADGRAD refuse it; it is not advised for LARS and LAMB.",
    )
    mechanic_s_init: Fixed = Field(
        1e-6, POSITIVE, "Initial scale s of Mechanic.", initial=True
    )
    mechanic_decay: Number = Field(
        0.01, NONNEGATIVE, "Strength of the weight decay in Mechanic."
    )


class Gradients(Kind):
    """How gradients are treated before the rule, in this order."""

    __slots__ = ()

    _: KW_ONLY
    convert_grads: Option[bool] = Option(
        False,
        FLAG,
        "Convert gradients of another dtype (floats or integers) or memory order than "
        "their parameter, and strided ones; if False, these are refused.  They are "
        "copied to an array that is kept for each parameter, by NumPy in one thread, "
        "which takes as long as ``g.astype(p.dtype)``.  A float64 beyond the range of "
        "float32 becomes infinite.  Bools, complex numbers and objects are refused.",
    )
    grad_scale: Option[Scheduled] = Option(
        1.0, POSITIVE, "Multiplies the gradients first: 1 / loss scale."
    )
    accumulate: Option[int] = Option(
        1,
        count(1),
        "Number of calls of `step` for one update.  The last call updates, with the "
        "mean of their gradients; the others return False.",
    )
    clip_value: Bound = Field(
        None,
        POSITIVE.or_none(),
        "Clip each element of the gradients to [-clip_value, clip_value].",
    )
    clip_tensor_norm: Field[
        float | AdaGC | None, Scheduled | AdaGC | Literal["adagc"] | None
    ] = Field(
        None,
        CLIP_TENSOR_NORM.or_none(),
        'Scale each array\'s gradient down to this norm at most.  "adagc" or an '
        "`AdaGC`: to a multiple of the mean of its past norms.",
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
        "Adjacent axes over which the norm of a unit is taken: 0 for the columns of a "
        "matrix, (1, 2, 3) for convolution filters numbered by axis 0.  Axes that an "
        "array does not have are ignored; an array of at most one dimension is one "
        "unit.",
    )
    agc_eps: Number = Field(1e-3, POSITIVE, "Lower bound of the norm ``|w|`` in `agc`.")
    clip_norm: Option[Scheduled | ZClip | Literal["zclip"] | None] = Option(
        None,
        CLIP_NORM.or_none(),
        "Scale all gradients by ``min(1, clip_norm / (norm + clip_eps))``, where "
        'norm is that of all gradients together (Pascanu et al. 2013).  "zclip" or a '
        "`ZClip`: where it is a spike among the past norms, which can skip the step, "
        "too.",
    )
    clip_eps: Option[Scheduled] = Option(
        0.0, NONNEGATIVE, "Added to the norm that `clip_norm` bounds; torch uses 1e-6."
    )
    skip_nonfinite: Option[bool] = Option(
        False,
        FLAG,
        "If an element of a gradient is infinite or NaN, do not change params, states "
        "or `t`; `step` returns False.  If False, gradients are not checked, and a "
        "norm that is not finite does not clip.",
    )


class Running(Kind):
    """How the whole optimizer runs."""

    __slots__ = ()

    _: KW_ONLY
    zero_grads: Option[bool] = Option(
        False, FLAG, "Set the gradients to 0 after they are used or skipped."
    )
    project: Option[Callable[[Any], Any] | None] = Option(
        None,
        FUNCTION.or_none(),
        "Function that changes the params in place after each update, as a projection "
        "onto a set does (``lambda p: np.maximum(p, 0, out=p)``).  It gets them as you "
        "passed them; with groups, as a list with those of each.  Averages and "
        "Lookahead use the result; the report measures the change before.  If it "
        "raises an error, the step is complete and counted all the same, and averages "
        "use what it left.  It is not part of ``state_dict()``.",
    )
    telemetry: Option[bool] = Option(
        False, FLAG, "Keep `report`: norms, clipping, the update-to-weight ratio."
    )
    curvature: Option[bool] = Option(
        False,
        FLAG,
        "Keep the last params and gradients, two more arrays like p, for the report's "
        "`sharpness` and `edge`.  Needs `telemetry`.",
        initial=True,
    )
    convention: Option[Literal["torch", "keras", "optax", "paper"]] = Option(
        "torch",
        choice("torch", "keras", "optax", "paper"),
        "Source of the defaults and flags.",
        initial=True,
    )
    num_threads: Option[int | None] = Option(
        None,
        NUM_THREADS,
        "Maximum number of threads of a step; None: ``lrcore.get_num_threads()``.",
    )
    comm: Option[Any] = Option(
        None,
        COMM.or_none(),
        "Several processes that step one set of params together: ``MPI.COMM_WORLD`` of "
        "mpi4py, or what ``lrcore.distributed.run_ranks`` passes.  Each passes the "
        "gradients of its own micro-batch; the step is made of the mean over all, and "
        "each process has the states of its own part only.",
        initial=True,
    )
    denormals: Option[Literal["flush", "keep"]] = Option(
        "flush",
        DENORMALS,
        "Whether numbers below the smallest normal one (1.2e-38 in float32) count as "
        "0.  The state of a weight whose gradient stays 0 decays to such numbers, and "
        "many processors are slow with them.",
    )


class Common(Terms, Grouping, Averages, Mechanics, Gradients, Running):
    """The fields of every optimizer."""

    __slots__ = ()
