"""The next character of a text, by an attention block or a gated recurrent network."""

import numpy as np

from .base import generator, supervised
from .layers import relu, sigmoid, softmax

CHARACTERS, LENGTH = 12, 8
COUNT = 600
"""The number of texts of LENGTH characters, each one character after the last."""


def windows(name):
    """Return characters of a Markov chain of order 2, and those that follow them."""
    rng = generator(name)
    chain = rng.dirichlet(np.full(CHARACTERS, 0.15), (CHARACTERS, CHARACTERS))
    text = [0, 1]
    for _ in range(COUNT + LENGTH):
        text.append(rng.choice(CHARACTERS, p=chain[text[-2], text[-1]]))
    text = np.array(text)
    at = np.arange(COUNT)[:, None] + np.arange(LENGTH)
    return text[at], text[at + 1]


def drawn(shapes, gain):
    """Return a function that draws matrices of variance gain^2 / rows."""

    def params(rng):
        p = {k: gain * rng.normal(size=s) * s[0] ** -0.5 for k, s in shapes.items()}
        return {k: a.astype(np.float32) for k, a in p.items()}

    return params


def root_mean_square(x):
    """Return rows divided by their root mean square; and back, as `unit` does."""
    scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5)
    u = x * scale

    def back(d):
        return scale * (d - u * (d * u).mean(axis=-1, keepdims=True))

    return u, back


def attention(name, size, gain=1.0, **more):
    """A block of causal attention and a layer of relu, each added to its input.

    Their inputs are divided by their root mean square (Vaswani et al. 2017; Zhang &
    Sennrich 2019).
    """
    shapes = {
        "characters": (CHARACTERS, size), "places": (LENGTH, size),
        "q": (size, size), "k": (size, size), "v": (size, size), "o": (size, size),
        "in": (size, 2 * size), "out": (2 * size, size), "last": (size, CHARACTERS),
    }  # fmt: skip
    later = np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1)
    root = np.float32(size**0.5)

    def loss_and_grad(p, batch):
        tokens, y = batch
        x = p["characters"][tokens] + p["places"]
        a, back = root_mean_square(x)
        q, k, v = a @ p["q"], a @ p["k"], a @ p["v"]
        s = q @ k.swapaxes(1, 2) / root + later
        w = np.exp(s - s.max(axis=2, keepdims=True))
        w /= w.sum(axis=2, keepdims=True)
        mixed = w @ v
        middle = x + mixed @ p["o"]
        b, back_again = root_mean_square(middle)
        h = relu(b @ p["in"])
        end = middle + h @ p["out"]
        loss, d = softmax(end.reshape(-1, size) @ p["last"], y.ravel())

        def by(left, right):  # the gradient of a matrix between these
            return left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2])

        g = {"last": end.reshape(-1, size).T @ d}
        d = (d @ p["last"].T).reshape(end.shape)
        g["out"] = by(h, d)
        dh = (d @ p["out"].T) * (h > 0)
        g["in"] = by(b, dh)
        d = d + back_again(dh @ p["in"].T)
        g["o"] = by(mixed, d)
        dm = d @ p["o"].T
        dw = dm @ v.swapaxes(1, 2)
        ds = w * (dw - (dw * w).sum(axis=2, keepdims=True)) / root
        da = 0
        for key, part in (("q", ds @ k), ("k", ds.swapaxes(1, 2) @ q),
                          ("v", w.swapaxes(1, 2) @ dm)):  # fmt: skip
            g[key] = by(a, part)
            da = da + part @ p[key].T
        d = d + back(da)
        g["places"] = d.sum(axis=0)
        hot = np.eye(CHARACTERS, dtype=d.dtype)[tokens.ravel()]
        g["characters"] = hot.T @ d.reshape(-1, size)
        return loss, g

    x, y = windows(name)
    params = drawn(shapes, gain)
    return supervised(name, "attention", loss_and_grad, params, x, y, **more)


def gated(name, size, gain=1.0, **more):
    """A gated recurrent network (Cho et al. 2014), its reset after the product.

    The columns of its matrices are those of the reset gate, of the update gate and of
    the new state.
    """
    shapes = {
        "characters": (CHARACTERS, 3 * size), "U": (size, 3 * size),
        "last": (size, CHARACTERS),
    }  # fmt: skip

    def loss_and_grad(p, batch):
        tokens, y = batch
        inputs, u = p["characters"][tokens], p["U"]
        states, kept = [np.zeros((len(tokens), size), u.dtype)], []
        for t in range(LENGTH):
            x, h = inputs[:, t], states[-1]
            from_h = h @ u
            gates = x[:, : 2 * size] + from_h[:, : 2 * size]
            gates = sigmoid(gates)
            r, z = gates[:, :size], gates[:, size:]
            n = np.tanh(x[:, 2 * size :] + r * from_h[:, 2 * size :])
            kept.append((gates, n, from_h[:, 2 * size :]))
            states.append(n + z * (h - n))
        h = np.stack(states[1:], axis=1).reshape(-1, size)
        loss, d = softmax(h @ p["last"], y.ravel())
        g = {"last": h.T @ d}
        outer = (d @ p["last"].T).reshape(len(tokens), LENGTH, size)
        d_inputs, d_from = np.empty_like(inputs), np.empty_like(inputs)
        dh = np.zeros_like(states[0])
        for t in reversed(range(LENGTH)):
            (gates, n, from_h), h = kept[t], states[t]
            dh = dh + outer[:, t]
            z = gates[:, size:]
            dn = dh * (1 - z) * (1 - n * n)
            d_gates = np.concatenate([dn * from_h, dh * (h - n)], axis=1)
            d_gates *= gates * (1 - gates)
            d_inputs[:, t, : 2 * size] = d_from[:, t, : 2 * size] = d_gates
            d_inputs[:, t, 2 * size :] = dn
            d_from[:, t, 2 * size :] = dn * gates[:, :size]
            dh = dh * z + d_from[:, t] @ u.T
        before = np.stack(states[:-1], axis=1).reshape(-1, size)
        g["U"] = before.T @ d_from.reshape(-1, 3 * size)
        hot = np.eye(CHARACTERS, dtype=d.dtype)[tokens.ravel()]
        g["characters"] = hot.T @ d_inputs.reshape(-1, 3 * size)
        return loss, g

    x, y = windows(name)
    params = drawn(shapes, gain)
    return supervised(name, "gated", loss_and_grad, params, x, y, **more)


PROBLEMS = [
    attention("attention", 16, batch=8),
    attention("attention-small-start", 12, gain=0.5, batch=16, steps=400),
    gated("gated", 12, batch=8),
    gated("gated-small-start", 16, gain=0.5, batch=16),
]
