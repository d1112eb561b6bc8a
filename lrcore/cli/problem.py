"""A problem in a user's file: params, and a function of their loss and gradients."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import lrcore
from lrcore._shared.words import shortened, shown

T = TypeVar("T")

HELP = """\
FILE.py is a Python file, which is run, but not as the main program.  It
defines

  params                  arrays, nested in lists, tuples and dicts; or a function
                          params(rng) that returns new ones
  loss_and_grads(params)  returns the loss, and the gradients in the structure of
                          params; or loss_and_grads(params, rng), to draw a batch

rng is a numpy.random.Generator, the same for all optimizers and rates.
"""


class Problem:
    """The problem of a file; errors in its code are ValueErrors of one line."""

    def __init__(self, path: str) -> None:
        self.path = path
        names = self._call(lambda: _run(path))
        for name in ("params", "loss_and_grads"):
            if name not in names:
                raise ValueError(f"{path}: expected {name}, found no such name")
        self._params, self._function = names["params"], names["loss_and_grads"]
        if not callable(self._function):
            raise ValueError(
                f"{path}: loss_and_grads: expected a function, found "
                f"{shown(self._function)}"
            )
        self._draws_batches = _takes_two(self._function)

    @property
    def is_random(self) -> bool:
        """Whether it draws its initial params, or batches."""
        return callable(self._params) or self._draws_batches

    def train(self, kind: type[lrcore.Optimizer], lr: float, steps: int, seed: int) -> (
        list[float]
    ):  # fmt: skip
        """Return the losses before each step, up to one that is not finite."""
        start, batches = np.random.default_rng(seed).spawn(2)
        return self._call(lambda: self._losses(kind, lr, steps, start, batches))

    def _losses(
        self, kind: type[lrcore.Optimizer], lr: float, steps: int,
        start: np.random.Generator, batches: np.random.Generator,
    ) -> list[float]:  # fmt: skip
        given = self._params
        params = given(start) if callable(given) else copy.deepcopy(given)
        opt = kind(params, lr=lr)
        more = (batches,) if self._draws_batches else ()
        losses = []
        with np.errstate(all="ignore"):  # of a run that diverges
            for _ in range(steps):
                loss, grads = self._function(params, *more)
                losses.append(float(loss))
                if not np.isfinite(losses[-1]):
                    break
                opt.step(grads, losses[-1])
        return losses

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except SyntaxError as error:
            where = f"line {error.lineno}: {error.msg}"
        except SystemExit:
            where = "it has ended the program by sys.exit"
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if f.filename == str(_file(self.path))]
            where = f"line {lines[-1]}: " if lines else ""
            where += f"{type(error).__name__}: {shortened(str(error))}"
        raise ValueError(f"{self.path}: {where}") from None


def _run(path: str) -> dict[str, Any]:
    """Run a file that is not the main program; return its names."""
    file = _file(path)
    spec = importlib.util.spec_from_file_location("problem", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))  # it may import its neighbours
    spec.loader.exec_module(module)
    return vars(module)


def _file(path: str) -> Path:
    return Path(path).resolve()


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True
