"""What the tests of groups by patterns of names share: params, their names, a run."""

from collections import namedtuple

import numpy as np

Layer = namedtuple("Layer", "weight bias")


def network(seed=0, dtype="float64"):
    """Params: two layers, a head that is a named tuple, a bias at the top."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.uniform(0.5, 1.5, shape).astype(dtype)

    return {
        "layers": [{"weight": draw(3, 2), "bias": draw(3)} for _ in range(2)],
        "head": Layer(draw(2, 2), draw(2)),
        "bias": draw(1),
    }


NAMES = [
    *("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"),
    *("head.weight", "head.bias", "bias"),
]
PATHS = [
    *("['layers'][0]['weight']", "['layers'][0]['bias']"),
    *("['layers'][1]['weight']", "['layers'][1]['bias']"),
    *("['head'][0]", "['head'][1]", "['bias']"),
]
NO_DECAY = {"*.bias": {"weight_decay": 0.0}}


def leaves(params):
    layers = [a for layer in params["layers"] for a in layer.values()]
    return [*layers, *params["head"], params["bias"]]


def nested(arrays):
    """The arrays in the structure of network()."""
    w0, b0, w1, b1, w, b, last = arrays
    layers = [{"weight": w0, "bias": b0}, {"weight": w1, "bias": b1}]
    return {"layers": layers, "head": Layer(w, b), "bias": last}


def run(opt, params, steps=range(4), of=lambda grads: grads):
    for t in steps:
        grads = [p * 0.3 + 0.1 * (t + 1) for p in leaves(params)]
        assert opt.step(of(nested(grads)))


ALL = {
    "*.bias": {"weight_decay": 0.0, "lr": 0.2},
    "layers.0.*": {"lr_scale": 0.5},
    "head.*": {"clip_value": 0.1, "ema_decay": 0.25},
}
