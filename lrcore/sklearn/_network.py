"""A network of dense layers: the loss of a batch and its gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from lrcore._shared.types import Array
from lrcore.sklearn._functions import ACTIVATIONS, LOSSES, SLOPES


class Layers(NamedTuple):
    """Arrays for batches of one length, of shape (n, units) for each layer.

    outputs : the activations.  deltas : the slope of the loss along what the activation
    is taken of.  ones : n of them; a product with these sums over samples.
    """

    outputs: list[Array]
    deltas: list[Array]
    ones: Array


class Network:
    """Forward and backward pass through dense layers, in arrays that are made once.

    ::

        a_0 = X,   a_i = f_i(a_{i-1} W_i + b_i)
        loss = (sum of w_k loss(y_k, a_last,k) + alpha / 2 sum of W^2) / sum of w_k

    coefs, intercepts : W and b of each layer; they are only read.
    hidden, output, loss : names in `_functions`; the last two belong together, so that
        the slope of a sample's loss along its last layer's a W + b is a_last - y.
    grads : those of coefs and intercepts, which each pass overwrites.
    """

    def __init__(
        self,
        coefs: list[Array],
        intercepts: list[Array],
        *,
        hidden: str,
        output: str,
        loss: str,
        alpha: float,
    ) -> None:
        self._coefs, self._intercepts, self._alpha = coefs, intercepts, alpha
        self.grads = {
            "coefs": [np.empty_like(w) for w in coefs],
            "intercepts": [np.empty_like(b) for b in intercepts],
        }
        self._scratch = [np.empty_like(w) for w in coefs]
        self._activations = [ACTIVATIONS[hidden]] * (len(coefs) - 1)
        self._activations.append(ACTIVATIONS[output])
        self._times_slope, self._loss = SLOPES[hidden], LOSSES[loss]
        self._layers: dict[int, Layers] = {}

    def loss_and_grads(self, x: Any, y: Array, weights: Array | None) -> float:
        """Return the loss of a batch, and write its gradients.

        x : (n, features), an array or a sparse matrix.  y : (n, outputs).  weights :
        (n,), those of the samples, or None for 1 each.
        """
        n = len(y)
        layers = self._layers.get(n) or self._made(n)
        found = self._forward(x, layers.outputs)
        losses = self._loss(y, found)
        delta = np.subtract(found, y, out=layers.deltas[-1])
        if weights is None:
            total = n
            loss = losses.sum()
            delta /= n
        else:
            total = weights.sum()
            if total == 0:
                raise ZeroDivisionError(
                    "sample_weight: the weights of a batch sum to 0; leave samples "
                    "without weight out, or make batch_size larger"
                )
            loss = weights @ losses
            delta *= (weights / total)[:, np.newaxis]
        if self._alpha:
            squares = sum(np.vdot(w, w) for w in self._coefs)
            loss += 0.5 * self._alpha * squares
        self._backward(x, layers, self._alpha / total)
        return float(loss / total)

    def _made(self, n: int) -> Layers:
        shapes = [(n, len(b)) for b in self._intercepts]
        dtype = self._intercepts[0].dtype
        layers = Layers(
            [np.empty(shape, dtype) for shape in shapes],
            [np.empty(shape, dtype) for shape in shapes],
            np.ones(n, dtype),
        )
        self._layers[n] = layers
        return layers

    def _forward(self, x: Any, outputs: list[Array]) -> Array:
        each = zip(
            self._coefs, self._intercepts, self._activations, outputs, strict=True
        )
        for w, b, activation, a in each:
            _product(x, w, a)
            a += b
            activation(a)
            x = a
        return outputs[-1]

    def _backward(self, x: Any, layers: Layers, penalty: float) -> None:
        """Write the gradients; the outputs of hidden layers are lost."""
        for i in range(len(self._coefs) - 1, -1, -1):
            w, delta = self._coefs[i], layers.deltas[i]
            before = layers.outputs[i - 1] if i else x
            gradient = self.grads["coefs"][i]
            _product(before.T, delta, gradient)
            if penalty:
                gradient += np.multiply(w, penalty, out=self._scratch[i])
            np.matmul(layers.ones, delta, out=self.grads["intercepts"][i])
            if i:
                delta = np.matmul(delta, w.T, out=layers.deltas[i - 1])
                self._times_slope(before, delta)


def _product(a: Any, b: Array, out: Array) -> None:
    """Write a @ b; a may be sparse."""
    if issparse(a):
        out[...] = a @ b
    else:
        np.matmul(a, b, out=out)
