"""What every optimizer shares; a class adds defaults, a rule and its coefficients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NoReturn, TypedDict

from lrcore import _check, _core, _tree
from lrcore._numbers import whole
from lrcore._typing import Array
from lrcore.optimizers._hyper import Coefs, Hyper, ParamGroup, check
from lrcore.optimizers._memory import state_like

Scheduled = float | Callable[[int], float]
"""A number, or a schedule: any callable that takes the step and returns one."""

Betas = tuple[Scheduled, Scheduled] | Callable[[int], tuple[float, float]]


class Common(TypedDict, total=False):
    """Keywords of every optimizer."""

    l2: Scheduled
    maximize: bool
    decoupled_weight_decay: bool
    num_threads: int | None
    denormals: Literal["flush", "keep"]


COMMON: Common = {"l2": 0.0, "maximize": False, "decoupled_weight_decay": False}

# What all docstrings have in common, where they say {params} and {common}.
_PARAMS_DOC = """\
params : ndarray, nested list / tuple / dict of ndarray, or list of groups
        float32 or float64, C- or F-contiguous, writable, sharing no memory.  They are
        updated in place, so keep the arrays: ``params["W"] = params["W"] - ...`` is
        refused at the next step.  A group is a dict with the key ``"params"`` and
        hyper-parameters of its own."""
_COMMON_DOC = """\
l2 : float or schedule
        L2 penalty, always coupled: added to the gradient as ``l2 * p``.  Default 0.
    maximize : bool
        Ascend instead of descend.  Default False.
    decoupled_weight_decay : bool
        Whether ``weight_decay`` multiplies p by ``1 - lr * weight_decay`` in each step
        (Loshchilov & Hutter 2019) or is an L2 penalty.  Default {decoupled}.
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
    param_groups : tuple of ParamGroup
        Params and hyper-parameters of each group, to read and set by name.
    state : tuple of mapping
        The state arrays of each parameter, in the order of params: to look at.

    Raises
    ------
    TypeError, ValueError
        A parameter or hyper-parameter cannot be used; the message names it.

    Notes
    -----
    A schedule is any callable that takes the number of steps taken before, 0 for the
    first, and returns a number (betas: two): see ``lrcore.schedules``."""


class Optimizer:
    """What all optimizers share: params, groups, the step, saving and restoring.

    ::

        g' = +-g + l2 p;   u = rule(g', states);   p = (1 - lr weight_decay) p - lr u

    with the rule and the states of the class.
    """

    __slots__ = (
        "__weakref__",
        "_keep_subnormals",
        "_leaves",
        "_num_threads",
        "_plan",
        "param_groups",
        "state",
    )

    _decoupled: ClassVar[bool] = False
    """Whether weight_decay is decoupled where the caller does not say."""

    def __init_subclass__(cls) -> None:
        common = _COMMON_DOC.format(decoupled=cls._decoupled)
        text = (cls.__doc__ or "").replace("{params}", _PARAMS_DOC)
        cls.__doc__ = text.replace("{common}", common)

    def __init__(self, params: Any, hyper: Hyper, common: Common) -> None:
        own: dict[str, Any] = {**common}
        self.num_threads = own.pop("num_threads", None)
        self.denormals = own.pop("denormals", "flush")
        defaults = {**hyper, **COMMON, "decoupled_weight_decay": self._decoupled}
        _known(type(self).__name__, own, defaults, "num_threads", "denormals")
        defaults |= own

        grouped = _is_groups(params)
        groups = []
        for index, group in enumerate(params if grouped else [{"params": params}]):
            own = {name: value for name, value in group.items() if name != "params"}
            _known(f"params[{index}]", own, defaults)
            owner = group if grouped else None
            hyper = {**defaults, **own}
            groups.append(ParamGroup(group["params"], hyper, type(self), owner))

        self.param_groups = tuple(groups)
        roots = [group.params for group in groups]
        tree = _tree.flatten(roots if grouped else roots[0], grouped=grouped)
        _check.params(tree)
        self._leaves = tree.leaves
        self.state = tuple(self._new_state(leaf) for leaf in tree.leaves)
        states = [tuple(state.values()) for state in self.state]
        self._plan = _core.Plan(tree, self.param_groups, states)

    # --- what a class says ---------------------------------------------------------

    @staticmethod
    def _rule(h: Hyper) -> str:
        """Return the rule of rules.def that these hyper-parameters ask for."""
        raise NotImplementedError

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float]:
        """Return what state arrays are filled with where that is not 0."""
        return {}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        """Return ``coefs(t, lr)``, which gives the numbers of a step."""
        raise NotImplementedError

    def _new_state(self, leaf: _tree.Leaf) -> Mapping[str, Array]:
        group = self.param_groups[leaf.group]
        fill = self._initial(group.hyper)
        names = _core.RULES[group.rule].states
        return MappingProxyType(
            {
                name: state_like(leaf.array, k, fill.get(name, 0.0))
                for k, name in enumerate(names)
            }
        )

    # --- how to run ----------------------------------------------------------------

    @property
    def t(self) -> int:
        """Steps taken."""
        return self._plan.t

    @t.setter
    def t(self, value: int) -> None:
        self._plan.t = whole("t", value, "an int >= 0", least=0)

    @property
    def num_threads(self) -> int | None:
        """At most so many threads a step; None for ``lrcore.get_num_threads()``."""
        return self._num_threads or None

    @num_threads.setter
    def num_threads(self, n: int | None) -> None:
        self._num_threads = check_num_threads(n)

    @property
    def denormals(self) -> str:
        """``"flush"`` or ``"keep"``."""
        return "keep" if self._keep_subnormals else "flush"

    @denormals.setter
    def denormals(self, what: str) -> None:
        self._keep_subnormals = check_denormals(what)

    @property
    def lr(self) -> float:
        """The first group's learning rate at the next step; setting it sets all."""
        return float(self.param_groups[0].at("lr", self.t))

    @lr.setter
    def lr(self, value: Scheduled) -> None:
        check("lr", value)
        for group in self.param_groups:
            group["lr"] = value

    # --- the step ------------------------------------------------------------------

    def step(self, grads: Any) -> bool:
        """Update the params in place from their gradients.

        Parameters
        ----------
        grads : of the same structure as params
            Gradients of the same dtype, shape and memory order as their parameters,
            read and left alone.  With groups: a list with one structure a group.

        Returns
        -------
        bool
            True: the step was applied.

        Raises
        ------
        TypeError, ValueError
            A gradient, a parameter or what a schedule returned cannot be used.  Nothing
            has been written then: not one parameter, not one state.
        """
        self._plan.step(grads, self._num_threads, self._keep_subnormals)
        return True

    # --- saving and restoring ------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all that the next steps depend on, except the params.

        Keep your params beside it: ``pickle.dump((params, opt.state_dict()), file)``.
        (A schedule is kept as it is, and pickles if it can.)

        Returns
        -------
        dict
            ``optimizer`` (the class), ``t``, ``denormals``, ``param_groups`` (a dict of
            hyper-parameters a group), ``names`` and ``state`` (of each array, in the
            order of params).
        """
        self._refuse_in_step()
        return {
            "optimizer": type(self).__name__,
            "t": self.t,
            "denormals": self.denormals,
            "param_groups": [group.hyper for group in self.param_groups],
            "names": [leaf.path for leaf in self._leaves],
            "state": [
                {name: array.copy() for name, array in state.items()}
                for state in self.state
            ],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the optimizer that gave this ``state_dict()`` was.

        Replaces the step count, the state arrays and all hyper-parameters, schedules
        included.  The params are yours to restore, in place: ``p[...] = saved``.

        Raises
        ------
        KeyError, TypeError, ValueError
            It does not belong to such an optimizer of such params.  Nothing has been
            changed then.
        """
        self._refuse_in_step()
        if not isinstance(saved, Mapping):
            raise TypeError(f"saved: expected a state_dict(), found {saved!r}")
        wanted = ("optimizer", "t", "denormals", "param_groups", "names", "state")
        if missing := [key for key in wanted if key not in saved]:
            raise ValueError(f"saved: expected a state_dict(), found none of {missing}")
        if saved["optimizer"] != type(self).__name__:
            raise ValueError(
                f"optimizer: expected the state of {type(self).__name__}, "
                f"found that of {saved['optimizer']}"
            )
        t = whole("t", saved["t"], "an int >= 0", least=0)
        keep_subnormals = check_denormals(saved["denormals"])
        names = [leaf.path for leaf in self._leaves]
        if list(saved["names"]) != names:
            raise ValueError(f"names: expected {names}, found {saved['names']}")
        if len(saved["state"]) != len(names):
            raise ValueError(
                f"state: expected {len(names)} entries, found {len(saved['state'])}"
            )
        for leaf, own, new in zip(
            self._leaves, self.state, saved["state"], strict=True
        ):
            if not isinstance(new, Mapping) or own.keys() != new.keys():
                raise ValueError(
                    f"state of params{leaf.path}: "
                    f"expected arrays {list(own)}, found {_keys(new)}"
                )
            for name, array in own.items():
                where = f"state of params{leaf.path}: {name}"
                if not array.flags.writeable:
                    raise ValueError(f"{where} is read-only")
                _check.state(where, new[name], leaf.array)
        if len(saved["param_groups"]) != len(self.param_groups):
            raise ValueError(
                f"param_groups: expected {len(self.param_groups)}, "
                f"found {len(saved['param_groups'])}"
            )
        groups = list(zip(self.param_groups, saved["param_groups"], strict=True))
        hypers = [group.checked(new) for group, new in groups]
        # Copied before anything is written: they may be views of each other.
        copies = [{name: new[name].copy() for name in new} for new in saved["state"]]

        self._plan.t = t
        self._keep_subnormals = keep_subnormals
        for group, hyper in zip(self.param_groups, hypers, strict=True):
            group.replace(hyper)
        for own, new in zip(self.state, copies, strict=True):
            for name, array in own.items():
                array[...] = new[name]

    def _refuse_in_step(self) -> None:
        if self._plan.busy:
            raise RuntimeError("this optimizer is in the middle of a step")

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an optimizer belongs to the arrays it updates and cannot be copied; "
            "copy or pickle (params, opt.state_dict()) and construct one from them"
        )

    def __repr__(self) -> str:
        arrays = [leaf.array for leaf in self._leaves]
        elements = sum(array.size for array in arrays)
        groups = ", ".join(map(repr, self.param_groups))
        return (
            f"<{type(self).__name__} of {elements:,} elements in {len(arrays)} arrays, "
            f"t={self.t}: {groups}>"
        )


def _keys(mapping: Any) -> Any:
    return list(mapping) if isinstance(mapping, Mapping) else mapping


def _known(
    what: str, given: Mapping[str, Any], known: Mapping[str, Any], *extra: str
) -> None:
    if unknown := given.keys() - known.keys():
        raise TypeError(
            f"{what}: unexpected keyword {min(unknown)!r}; there are "
            f"{', '.join([*known, *extra])}"
        )


def _is_groups(params: Any) -> bool:
    """Whether params is a list of dicts that each have the key "params"."""
    if isinstance(params, dict) and "params" in params and "lr" in params:
        raise TypeError("params: found one group; groups come in a list: [{...}]")
    if not isinstance(params, (list, tuple)) or not params:
        return False
    marked = [isinstance(group, dict) and "params" in group for group in params]
    if any(marked) and not all(marked):
        raise TypeError(
            f"params[{marked.index(False)}]: expected a group (a dict with the key "
            "'params'), as another entry is"
        )
    return all(marked)


def check_num_threads(n: int | None) -> int:
    """Return the number that the kernels take for it, 0 for None."""
    if n is None:
        return 0
    return min(whole("num_threads", n, "an int >= 1 or None", least=1), 2**31 - 1)


def check_denormals(what: str) -> bool:
    """Return whether subnormal numbers are kept."""
    if what not in ("flush", "keep"):
        raise ValueError(f'denormals: expected "flush" or "keep", found {what!r}')
    return what == "keep"
