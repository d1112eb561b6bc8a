"""SciPy's L-BFGS-B on params in nested containers, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from lrcore._shared import containers, trees
from lrcore._shared.domains import FUNCTION, real
from lrcore._shared.types import Array
from lrcore._shared.words import error, listed, shown
from lrcore.scipy._problem import limits

_OPTIONS = ("maxcor", "ftol", "gtol", "maxfun", "maxiter", "maxls")


class LBFGS:
    """L-BFGS-B of SciPy, for losses of full batches.

    It looks for the minimum along each direction, and so needs no learning rate; the
    loss must be the same function at each call.

    Parameters
    ----------
    params : ndarray, nested list / tuple / dict of ndarray
        As for an optimizer, float32 or float64; changed in place.
    bounds : (lower, upper), optional
        Each a number for all params, a structure like params (its arrays broadcast to
        those of params), or None for none.
    **options
        SciPy's: `maxcor`, `ftol`, `gtol`, `maxfun`, `maxiter`, `maxls`.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong; the message says what was expected.

    Examples
    --------
    >>> import numpy as np, lrcore.scipy
    >>> params = {"w": np.zeros(2), "b": np.zeros(1)}
    >>> def loss_and_grads():
    ...     error = params["w"] - [1.0, 2.0]
    ...     return (error**2).sum() + params["b"][0] ** 2, {
    ...         "w": 2 * error, "b": 2 * params["b"]
    ...     }
    >>> lrcore.scipy.LBFGS(params).minimize(loss_and_grads).success
    True
    >>> params["w"].round(6)
    array([1., 2.])
    """

    def __init__(
        self, params: Any, *, bounds: tuple[Any, Any] | None = None, **options: Any
    ) -> None:
        self._tree = trees.flatten(params)
        containers.params(self._tree)
        self._arrays = [leaf.array for leaf in self._tree.leaves]
        self._ends = np.cumsum([0, *(a.size for a in self._arrays)])
        for name in options:
            if name not in _OPTIONS:
                raise TypeError(
                    f"{shown(name)}: expected one of SciPy's options {_OPTIONS}"
                )
        self._options, self._given_bounds = options, bounds
        self._bounds = None if bounds is None else self._limits(bounds)

    def minimize(
        self,
        loss_and_grads: Callable[[], tuple[Any, Any]],
        callback: Callable[..., Any] | None = None,
    ) -> OptimizeResult:
        """Minimize the loss; the params are at its minimum afterwards.

        Parameters
        ----------
        loss_and_grads : callable
            Without an argument; returns the loss at the params as they are, a number,
            and its gradients, of the structure of params.
        callback : callable, optional
            As SciPy's: ``callback(xk)`` or ``callback(intermediate_result)``.

        Returns
        -------
        scipy.optimize.OptimizeResult
            SciPy's result; its `x` and `jac` are vectors of all params, in the order of
            the containers.

        Raises
        ------
        Exception
            What `loss_and_grads` or the callback raises; then the params are put back.
        """
        function = FUNCTION.check("loss_and_grads", loss_and_grads)
        before = [a.copy() for a in self._arrays]

        def at(x: Array) -> tuple[float, Array]:
            self._put(x)
            found = function()
            if not isinstance(found, tuple) or len(found) != 2:
                raise TypeError(
                    "loss_and_grads: expected a function that returns (loss, grads), "
                    f"found {shown(found)}"
                )
            loss, grads = found
            return real("the loss", loss, "a number"), self._gradient(grads)

        try:
            found = minimize(
                at,
                self._vector(self._arrays),
                jac=True,
                method="L-BFGS-B",
                bounds=None
                if self._bounds is None
                else list(zip(*self._bounds, strict=True)),
                callback=callback,
                options=self._options,
            )
            self._put(found.x)
        except BaseException:
            for a, old in zip(self._arrays, before, strict=True):
                a[...] = old
            raise
        return found

    def __repr__(self) -> str:
        given = {"bounds": self._given_bounds, **self._options}
        told = "".join(f", {k}={shown(v)}" for k, v in given.items() if v is not None)
        elements, arrays = self._ends[-1], len(self._arrays)
        return f"<LBFGS of {elements:,} elements in {arrays} arrays{told}>"

    def _put(self, x: Array) -> None:
        """Write a vector into the params."""
        for i, a in enumerate(self._arrays):
            a[...] = x[self._ends[i] : self._ends[i + 1]].reshape(a.shape)

    def _vector(self, arrays: list[Any]) -> Array:
        return np.concatenate([np.asarray(a, float).ravel() for a in arrays])

    def _gradient(self, grads: Any) -> Array:
        found = containers.like_containers(self._tree, grads)
        arrays = []
        for leaf in self._tree.leaves:
            g = grads if leaf.node < 0 else trees.get(found[leaf.node], leaf.key)
            name = trees.Place("grads", leaf)
            if g is None:
                g = np.zeros(leaf.array.shape)
            if np.shape(g) != leaf.array.shape:
                raise error(
                    ValueError,
                    name,
                    f"expected shape {leaf.array.shape}, found {np.shape(g)}",
                )
            arrays.append(g)
        return self._vector(arrays)

    def _limits(self, bounds: Any) -> tuple[Array, Array]:
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise TypeError(
                f"bounds: expected a pair (lower, upper), found {shown(bounds)}"
            )
        lower, upper = (
            self._limit(f"bounds[{i}]", given, none)
            for i, (given, none) in enumerate(
                zip(bounds, (-np.inf, np.inf), strict=True)
            )
        )
        return limits(Bounds(lower, upper), len(lower))

    def _limit(self, name: str, given: Any, none: float) -> Array:
        """Return a bound of each number of the params."""
        if given is None or not isinstance(given, (list, tuple, dict, np.ndarray)):
            value = none if given is None else real(name, given, "a number or None")
            return np.full(self._ends[-1], value)
        found = {leaf.path: leaf for leaf in trees.flatten(given, name=name).leaves}
        wanted = [leaf.path for leaf in self._tree.leaves]
        if found.keys() != {*wanted}:  # dicts may have another order
            raise ValueError(
                f"{name}: expected arrays at [{listed(wanted)}] as in params, found "
                f"some at [{listed(found)}]"
            )
        spread = []
        for path, a in zip(wanted, self._arrays, strict=True):
            leaf = found[path]
            try:
                spread.append(np.broadcast_to(leaf.array, a.shape))
            except ValueError:
                raise error(
                    ValueError,
                    trees.Place(name, leaf),
                    f"expected an array that broadcasts to shape {a.shape}, found "
                    f"{np.shape(leaf.array)}",
                ) from None
        return self._vector(spread)
