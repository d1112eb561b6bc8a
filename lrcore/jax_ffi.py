"""A step inside a jitted function of JAX, on the CPU: in place, by lrcore's kernels.

::

    opt = jax_ffi.Stepper(lrcore.AdamW, lr=1e-3, weight_decay=0.01)
    state = opt.init(params)

    @partial(jax.jit, donate_argnums=(0, 1))
    def train(params, state, batch):
        grads = jax.grad(loss)(params, batch)
        return opt.step(params, grads, state)

The call is a target of XLA's foreign function interface.  Its params and states are
updated where they are if the function donates them; otherwise XLA copies them before.
All arrays are stepped in one call, by lrcore's threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from lrcore import _core
from lrcore._shared.words import kind as kind_of
from lrcore._shared.words import shown
from lrcore.optimizers.base.fields import told
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.options import check_denormals, check_num_threads
from lrcore.optimizers.base.part import Layout

__all__ = ["State", "Stepper"]

_TARGET = "lrcore_step"
_TAKEN = ("num_threads", "denormals")
"""The options of a whole optimizer that a Stepper takes."""

_of_name: dict[str, Any] = {}
"""The hyper-parameters of each name in XLA_STEPS."""


@cache
def _jax() -> Any:
    """Import JAX, and tell XLA of the target."""
    try:
        import jax
    except ImportError as error:
        raise ImportError(
            'lrcore.jax_ffi needs JAX: pip install "lrcore[jax]", or jax itself'
        ) from error
    target = jax.ffi.pycapsule(_core.xla_address())
    jax.ffi.register_ffi_target(_TARGET, target, platform="cpu")
    return jax


class State(NamedTuple):
    """What an optimizer keeps between steps; JAX sees it as a tree of arrays.

    t : the number of steps taken, a scalar of int32.
    states : of each state of the rule, a tree like the params.
    """

    t: Any
    states: tuple[Any, ...]


class Stepper:
    """An optimizer whose steps are part of a jitted function.

    A step has the bits of ``kind(params, ...).step(grads)`` in NumPy, unless the
    learning rate is given to it in less than double precision.

    Parameters
    ----------
    kind : type
        A class of `lrcore.optimizers` whose step is one rule: neither a norm nor
        another sum over arrays, nor an average (``LAMB``, ``Prodigy`` and ``Muon`` are
        refused).
    *args, **given
        Its hyper-parameters, numbers or schedules; `num_threads` and `denormals`.

    Raises
    ------
    TypeError, ValueError
        An argument cannot be used; the message names it.
    ImportError
        JAX is not installed (raised by `init` and `step`).

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from lrcore import jax_ffi
    >>> opt = jax_ffi.Stepper(lrcore.AdamW, lr=0.1, weight_decay=0.0)
    >>> params = {"w": jnp.ones(3)}
    >>> state = opt.init(params)
    >>> step = jax.jit(opt.step, donate_argnums=(0, 2))
    >>> params, state = step(params, {"w": jnp.array([1.0, -2.0, 0.0])}, state)
    >>> np.asarray(params["w"]).round(6)
    array([0.9, 1.1, 1. ], dtype=float32)
    """

    def __init__(self, kind: type[Optimizer], *args: Any, **given: Any) -> None:
        known = isinstance(kind, type) and issubclass(kind, Optimizer)
        if not known or kind is Optimizer:
            raise TypeError(
                "kind: expected an optimizer's class, such as lrcore.AdamW, found "
                f"{shown(kind)}"
            )
        name, fields = kind.__name__, kind._fields
        values, options = kind._bound(args, given)
        for key, value in options.items():
            if key not in _TAKEN and not fields[key].is_default(value):
                raise ValueError(
                    f"{key}: expected its default in a Stepper, found {shown(value)}; "
                    "do it in JAX, before the step"
                )
        self._group = ParamGroup(None, values, kind)
        (self._part, *others) = self._group.parts
        bare = Layout(self._part.rule, "", (), None, False, False, False)
        if others or self._part.layout != bare or not kind._is_a_kernel():
            raise ValueError(
                f"kind: expected one whose step is a rule by itself, found {name} "
                f"with {self._part.layout}; lrcore.{name} steps NumPy arrays"
            )
        hyper = self._group.hyper
        text = f"{name}({told({**hyper, **options}, fields)})"
        self._name, k = text, 1
        # Two schedules may have the same repr.
        while _of_name.setdefault(self._name, hyper) != hyper:
            k += 1
            self._name = f"{text} #{k}"
        _core.XLA_STEPS[self._name.encode()] = (
            self._part,
            self._folded,
            check_num_threads(options["num_threads"]),
            check_denormals(options["denormals"]),
        )

    def __repr__(self) -> str:
        return f"Stepper({self._name})"

    def _folded(self, t: int, lr: float | None) -> _core.Folded:
        """Return the numbers of the step after t steps."""
        group = self._group
        if lr is not None:
            hyper = {name: group.at(name, t) for name in group.hyper if name != "lr"}
            return self._part.fold({**hyper, "lr": group._fields["lr"].check(lr)})
        if group.now is not None:
            return group.now(t)[0]
        assert self._part.folded is not None
        return self._part.folded

    def init(self, params: Any) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        params : tree of jax.Array
            float32 or float64.

        Returns
        -------
        State

        Raises
        ------
        ImportError
            JAX is not installed.
        """
        jax = _jax()
        first = self._part.kind._initial(self._group.hyper)

        def made(name: str) -> Any:
            value = first.get(name, 0.0)
            copies = jax.numpy.copy
            return jax.tree.map(
                lambda p: copies(p) if value == "p" else jax.numpy.full_like(p, value),
                params,
            )

        names = _core.RULES[self._part.rule].states
        return State(jax.numpy.int32(0), tuple(made(name) for name in names))

    def step(
        self, params: Any, grads: Any, state: State, lr: Any = None
    ) -> tuple[Any, State]:
        """Return the params and the state after a step.

        Parameters
        ----------
        params, grads : trees of jax.Array
            Of the same structure; float32 or float64.
        state : State
            That of the step before, or of `init`.
        lr : scalar, optional
            The learning rate of this step, which may be traced, instead of the
            optimizer's own.  float32 unless it is an array of float64.

        Raises
        ------
        TypeError, ValueError
            The trees do not match, a dtype is neither float32 nor float64, `state` is
            not one of this optimizer's, or `lr` is not one real number.
        """
        jax = _jax()
        if not isinstance(state, State):
            raise TypeError(
                "state: expected what init() or the step before returned, found "
                f"{kind_of(state)}; the order is step(params, grads, state)"
            )
        self._check_state(jax.numpy.asarray(state.t), state.states)
        leaves, tree = jax.tree.flatten(params)
        columns = [tree.flatten_up_to(each) for each in (grads, *state.states)]
        args: list[Any] = [state.t]
        results: list[Any] = []
        aliases: dict[int, int] = {}
        for p, g, *states in zip(leaves, *columns, strict=True):
            _check(p, (g, *states))
            args.append(g)
            for array in (p, *states):
                aliases[len(args)] = len(results)
                args.append(array)
                results.append(jax.ShapeDtypeStruct(array.shape, array.dtype))
        if lr is not None:
            lr = jax.numpy.asarray(lr)
            kinds = jax.numpy.floating, jax.numpy.integer
            if lr.shape or not any(jax.numpy.issubdtype(lr.dtype, k) for k in kinds):
                raise TypeError(
                    f"lr: expected one real number, found {lr.dtype}{list(lr.shape)}"
                )
            args.append(lr if lr.dtype == "float64" else lr.astype("float32"))
        call = jax.ffi.ffi_call(_TARGET, results, input_output_aliases=aliases)
        new = call(*args, optimizer=self._name)
        each = 1 + len(state.states)
        after = [tree.unflatten(new[k::each]) for k in range(each)]
        return after[0], State(state.t + 1, tuple(after[1:]))

    def _check_state(self, t: Any, states: tuple[Any, ...]) -> None:
        """Check that a state is one of `init` or `step`, but for its trees."""
        names = _core.RULES[self._part.rule].states
        if len(states) != len(names):
            raise ValueError(
                f"state: expected {len(names)} states, as {self!r} has, found "
                f"{len(states)}; make it by init()"
            )
        if t.dtype != "int32" or t.shape:
            raise TypeError(
                "state: t: expected a scalar of int32, found "
                f"{t.dtype}{list(t.shape)}; make it by init()"
            )


def _check(p: Any, others: tuple[Any, ...]) -> None:
    """Check that a parameter can be stepped, and that its arrays are like it."""
    if p.dtype not in ("float32", "float64"):
        raise TypeError(f"params: expected float32 or float64, found {p.dtype}")
    for array in others:
        if array is None:
            raise TypeError("grads: expected an array for each parameter, found None")
        if array.shape != p.shape or array.dtype != p.dtype:
            raise ValueError(
                f"grads, state: expected {p.dtype}{list(p.shape)} like the parameter, "
                f"found {array.dtype}{list(array.shape)}"
            )
