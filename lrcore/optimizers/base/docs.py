"""The paragraphs that the docstrings of optimizers have in common."""

from __future__ import annotations

from inspect import signature
from textwrap import fill, indent

from lrcore.optimizers.base.kind import Kind

# Each stands where a docstring has its mark: {params}, {common} and the like.
_PARAMS_DOC = """\
params : ndarray, nested list / tuple / dict of ndarray, or list of groups
        float32 or float64, C- or F-contiguous, writable, sharing no memory.  They are
        updated in place, so keep the arrays: ``params["W"] = params["W"] - ...`` is
        refused at the next step.  A group is a dict with the key ``"params"`` and
        hyper-parameters of its own."""
_COUPLED_DOC = """\
weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0."""
_DECOUPLED_DOC = """\
weight_decay : float or schedule
        Each step multiplies p by ``1 - lr * weight_decay``.  Default {weight_decay}."""
_COMMON_DOC = """\
l2 : float or schedule
        L2 penalty, always coupled: added to the gradient as ``l2 * p``.  Default 0.
    maximize : bool
        Ascend instead of descend.  Default False.
    decoupled_weight_decay : bool
        Whether ``weight_decay`` multiplies p by ``1 - lr * weight_decay`` in each step
        (Loshchilov & Hutter 2019) or is an L2 penalty.  Default {decoupled}.
    independent_weight_decay : bool
        Whether a decoupled decay leaves lr out: ``1 - weight_decay``.  Default False.
    ema_decay : float, schedule or None
        Keep the exponential moving average ``ema``: after the first step it is p, then
        ``ema = ema_decay * ema + (1 - ema_decay) * p``.  Default None: none.
    swa_start, swa_every : int or None, int
        Keep ``swa``, the mean of p after step `swa_start` and each `swa_every` steps
        from there (Izmailov et al. 2018); until then it is p.  Default None, 1.
    lookahead_steps, lookahead_alpha : int or None, float or schedule
        Lookahead (Zhang et al. 2019, Algorithm 1): each `lookahead_steps` steps,
        ``slow = slow + lookahead_alpha (p - slow)``, ``p = slow``.  Default None, 0.5.
    mechanic, mechanic_s_init, mechanic_decay : bool, float, float or schedule
        Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm 1, as in optax): where the
        rule moves p by -u, ``delta = delta + u``, ``p = p0 - s delta``, where the scale
        s, of all arrays of a group (of Muon's: that its rule is for, and the others),
        is learned from mechanic_s_init on.  Set lr to 1, or let it fall from there: u
        passes through p, in whose rounding a smaller one is lost.  mechanic_decay draws
        p to 0.  ``report.lr`` is lr s.  It keeps two more arrays like p; not for an
        optimizer that finds its rate, FTRL or MADGRAD, and not advised for LARS and
        LAMB.  Default False, 1e-6, 0.01.
    grad_scale : float or schedule
        What gradients are multiplied by first: 1 / loss scale.  Default 1.
    accumulate : int
        Gather the gradients of so many calls of `step` and update with their mean in
        the last; the others return False.  Default 1.
    clip_value : float, schedule or None
        Clip each element of the gradients to [-clip_value, clip_value].  Default None.
    clip_tensor_norm : float, schedule or None
        Scale each array's gradient down to this norm at most.  Default None.
    agc, agc_axis, agc_eps : float, schedule or None; int or tuple of int; float
        Adaptive gradient clipping (Brock et al. 2021, eq. 3): scale the gradient g of
        each unit w down to the norm ``agc * max(|w|, agc_eps)``.  A unit's norm is
        taken over `agc_axis`, neighbouring axes, which have to be given (those that an
        array lacks are left out; one of at most one dimension is a unit): 0 for the
        columns of a matrix, (1, 2, 3) for the filters of a convolution that axis 0
        counts.  Default None: none; 1e-3.
    clip_norm, clip_eps : float, schedule or None; float
        Scale all gradients by ``min(1, clip_norm / (norm + clip_eps))``, with the norm
        of all of them (Pascanu et al. 2013); torch has 1e-6.  Default None, 0.
    skip_nonfinite : bool
        Where an element of a gradient is infinite or NaN, leave params, states and `t`
        as they are; `step` returns False.  Default False: it is not looked for, and a
        norm that is not finite clips nothing.
    zero_grads : bool
        Set the gradients to 0 once they have been used, or skipped.  Default False.
    telemetry : bool
        Keep `report`: norms, clipping, the update-to-weight ratio.  Default False.
    convention : {{{conventions}}}
{convention_notes}
    num_threads : int or None
        At most so many threads; None for ``lrcore.get_num_threads()``, the default.
    denormals : {{"flush", "keep"}}
        Whether numbers below the smallest normal one (1.2e-38 in float32) count as 0.
        The state of a weight whose gradient stays 0 decays into them, and many
        processors are slow there.  Default "flush".

    Attributes
    ----------
    lr : float
        The first group's learning rate at the next step; setting it sets all groups'.
    t : int
        Steps taken.
    grad_scale, clip_norm, skip_nonfinite, num_threads, ...
        As given; settable, as are a group's own by ``param_groups[0][name]``.
    report : Report or None
        The last step in numbers (`telemetry`).
    param_groups : tuple of ParamGroup
        Params and hyper-parameters of each group, to read and set by name.
    state : tuple of mapping
        The state arrays of each parameter, in the order of params: to look at.
    ema, swa, slow
        The averages asked for, of the same structure as params: to look at.  ``with
        opt.averaged():`` puts them into the params for a while.

    Raises
    ------
    TypeError, ValueError
        A parameter or hyper-parameter cannot be used; the message names it.

    Notes
    -----
    A schedule is any callable that takes the number of steps taken before, 0 for the
    first, and returns a number (betas: two): see ``lrcore.schedules``.

    Gradients are treated in the order of the parameters above: grad_scale, the mean of
    those gathered, clip_value, clip_tensor_norm, agc, clip_norm; then come weight decay
    and the rule."""


def fill_in(kind: type[Kind]) -> None:
    """Put the paragraphs into a class's docstring, where it has their marks."""
    notes = "".join(
        f"``{name}``: {', '.join(f'{k}={v!r}' for k, v in preset.items())}.  "
        for name, preset in kind._conventions.items()
        if preset
    )
    notes = fill(f"Whose defaults and flags to take.  {notes}Default torch.", 80)
    common = _COMMON_DOC.format(
        decoupled=kind._decoupled,
        conventions=", ".join(f'"{name}"' for name in kind._known_conventions()),
        convention_notes=indent(notes, " " * 8),
    )
    own = signature(kind).parameters
    weight_decay = own["weight_decay"].default if "weight_decay" in own else 0
    paragraphs = {
        "{params}": _PARAMS_DOC,
        "{coupled}": _COUPLED_DOC,
        "{decoupled}": _DECOUPLED_DOC.format(weight_decay=weight_decay),
        "{flags}": kind._flags_doc,
        "{common}": common,
    }
    for mark, text in paragraphs.items():
        kind.__doc__ = kind.__doc__ and kind.__doc__.replace(mark, text)
