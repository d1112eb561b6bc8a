"""Training by batches, in place of scikit-learn's."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from lrcore._shared.types import Array
from lrcore.sklearn import _arguments, _optimizer
from lrcore.sklearn._batches import Batches
from lrcore.sklearn._hooks import REMEDY
from lrcore.sklearn._network import Network


class Trained:
    """What an estimator does in another way than scikit-learn's class of its name.

    That class validates arguments and samples, makes coefs_ and intercepts_, and calls
    `_fit_stochastic`, unless `solver` is "lbfgs".
    """

    # --- arguments, pickling -------------------------------------------------------

    def _validate_params(self: Any) -> None:
        """Check the optimizer's arguments, too, before anything is changed."""
        super()._validate_params()  # type: ignore[misc]
        _arguments.check(self)

    def __getstate__(self: Any) -> Any:
        state: Any = super().__getstate__()
        if "optimizer_" not in state:
            return state
        saved = _optimizer.Saved.of(self.optimizer_, self._asked)
        return {**state, "optimizer_": saved}

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        if "optimizer_" in state:
            self.optimizer_ = state["optimizer_"].restored()

    # --- training ------------------------------------------------------------------

    def _fit(self: Any, *args: Any, **given: Any) -> Any:
        """Train, and check that it was by an optimizer of lrcore."""
        trained = super()._fit(*args, **given)  # type: ignore[misc]
        if self.solver != "lbfgs" and not hasattr(self, "optimizer_"):
            raise RuntimeError(
                f"{type(self).__name__}: scikit-learn has trained by its own "
                f"optimizer; {REMEDY}"
            )
        return trained

    def _fit_lbfgs(self: Any, *given: Any) -> None:
        """Train by SciPy, without the optimizer of an earlier fit."""
        for name in ("optimizer_", "_asked", "_first_rates"):
            vars(self).pop(name, None)
        super()._fit_lbfgs(*given)  # type: ignore[misc]

    def _fit_stochastic(
        self: Any,
        X: Any,  # noqa: N803
        y: Array,
        sample_weight: Array | None,
        *unused: Any,
    ) -> None:
        """Train for `max_iter` epochs, or one in partial_fit, on validated samples.

        unused : arrays that scikit-learn makes for its own loop, and last whether this
        is partial_fit.
        """
        incremental = unused[-1]
        if self.early_stopping and incremental:
            raise ValueError(
                "early_stopping: found True, which partial_fit does not support; it "
                "takes one epoch only"
            )
        train, held_out = self._split(X, y, sample_weight)
        if incremental and hasattr(self, "optimizer_"):
            self._continue()
        else:
            self._begin()
        network, batches = self._network(), self._batches(*train)
        try:
            self.n_iter_ = 0
            for _ in range(self.max_iter):
                self._run_epoch(network, batches)
                if self._ends(held_out) or incremental:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=6,
                )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        self._keep_result()

    def _split(
        self: Any,
        X: Any,  # noqa: N803
        y: Array,
        weights: Array | None,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the samples to train on, and those held out for early stopping.

        Each are X, y and weights; of those held out, y has the classes themselves.
        """
        if not self.early_stopping:
            return (X, y, weights), (None, None, None)
        given = [X, y] if weights is None else [X, y, weights]
        parts = train_test_split(
            *given,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and y.shape[1] == 1 else None,
        )
        train, held_out = parts[::2], parts[1::2]
        if len(held_out[1]) < 2:
            raise ValueError(
                "validation_fraction: holds out fewer than 2 of "
                f"{len(y)} samples; increase it or the number of samples"
            )
        if is_classifier(self):
            held_out[1] = self._label_binarizer.inverse_transform(held_out[1])
        nothing = [] if weights is not None else [None]
        return (*train, *nothing), (*held_out, *nothing)

    def _batches(
        self: Any,
        X: Any,  # noqa: N803
        y: Array,
        weights: Array | None,
    ) -> Batches:
        n = len(y)
        if self.batch_size == "auto":
            size = min(200, n)
        else:
            size = min(self.batch_size, n)
            if size < self.batch_size:
                warnings.warn(
                    f"batch_size: found {self.batch_size} with {n} samples; taking {n}",
                    stacklevel=7,
                )
        random = self._random_state if self.shuffle else None
        dtype = self.coefs_[0].dtype  # of the first samples
        X, y = X.astype(dtype, copy=False), y.astype(dtype, copy=False)  # noqa: N806
        if weights is not None:
            weights = weights.astype(dtype, copy=False)
        return Batches(X, y, weights, size, random)

    def _begin(self: Any) -> None:
        """Make the optimizer of coefs_ and intercepts_."""
        self._asked = _optimizer.Asked.by(self)
        for name in ("coefs_", "intercepts_"):
            # After a warm start they are what the user has set, or mapped read-only.
            own = [np.require(a, requirements=["C", "W"]) for a in getattr(self, name)]
            setattr(self, name, own)
        # In lists of its own: the user may replace an array in the estimator's.
        self.optimizer_ = self._asked.made([*self.coefs_], [*self.intercepts_])
        self._first_rates = _optimizer.rates(self.optimizer_)

    def _continue(self: Any) -> None:
        """Give the optimizer of the last fit coefs_ and intercepts_ as they are now.

        With an average, they are the average, and the optimizer keeps the params.
        """
        arrays = _optimizer.arrays_of(self.optimizer_)
        if not self.optimizer_._kept():
            for a, now in zip(arrays, self.coefs_ + self.intercepts_, strict=True):
                a[...] = now
        half = len(arrays) // 2
        self.coefs_, self.intercepts_ = arrays[:half], arrays[half:]

    def _network(self: Any) -> Network:
        loss = self.loss
        if loss == "log_loss" and self.out_activation_ == "logistic":
            loss = "binary_log_loss"
        return Network(
            self.coefs_,
            self.intercepts_,
            hidden=self.activation,
            output=self.out_activation_,
            loss=loss,
            alpha=self.alpha,
        )

    def _run_epoch(self: Any, network: Network, batches: Batches) -> None:
        total, step = 0.0, self.optimizer_.step
        for x, y, weights in batches.epoch():
            loss = network.loss_and_grads(x, y, weights)
            total += loss * len(y)
            step(network.grads, loss)
        self.n_iter_ += 1
        self.loss_ = total / len(batches)
        self.t_ += len(batches)
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")

    def _ends(self: Any, held_out: tuple[Any, ...]) -> bool:
        """Return whether the run ends after this epoch, for lack of progress."""
        with self._averaged():
            self._update_no_improvement_count(self.early_stopping, *held_out)
        _optimizer.end_epoch(self)
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        what = "Validation score" if self.early_stopping else "Training loss"
        ends = _optimizer.stops(
            self,
            f"{what} did not improve more than tol={self.tol:f} for "
            f"{self.n_iter_no_change} consecutive epochs.",
        )
        if not ends:
            self._no_improvement_count = 0
        return ends

    def _averaged(self: Any) -> AbstractContextManager[None]:
        """Put the optimizer's average into coefs_ and intercepts_, if it keeps one."""
        return self.optimizer_.averaged() if self.optimizer_._kept() else nullcontext()

    def _keep_result(self: Any) -> None:
        """Set coefs_ and intercepts_ to the best, or to copies of the average."""
        if self.early_stopping:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts
        elif self.optimizer_._kept():
            with self._averaged():
                self.coefs_ = [w.copy() for w in self.coefs_]
                self.intercepts_ = [b.copy() for b in self.intercepts_]
