"""The live page of docs/: its WebAssembly takes the steps of lrcore in Python."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lrcore
from lrcore import _core

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
from webassembly import compiled  # noqa: E402 # found by the line above

pytestmark = pytest.mark.compilers

# For each rule: the optimizer that does the same.
OPTIMIZERS = {
    "sgd": (lrcore.SGD, {}),
    "momentum": (lrcore.SGD, {"momentum": 0.9}),
    "nesterov": (lrcore.SGD, {"momentum": 0.9, "nesterov": True}),
    "lion": (lrcore.Lion, {"weight_decay": 0.0}),
    "adam": (lrcore.Adam, {}),
    "yogi": (lrcore.Yogi, {}),
    "rmsprop": (lrcore.RMSprop, {}),
    "adagrad": (lrcore.Adagrad, {}),
}
STARTS = [(-2.0, 0.8), (-1.2, 2.0), (-1.5, 0.01)]  # of the three surfaces


def ravine(x, y):
    return (x * x + 10 * y * y) / 2, (x, 10 * y)


def rosenbrock(x, y):
    along, across = 1 - x, y - x * x
    gradient = -2 * along - 400 * x * across, 200 * across
    return along * along + 100 * across * across, gradient


def saddle(x, y):
    return (x * x - y * y) / 2 + y * y * y * y / 4, (x, y * y * y - y)


SURFACES = [ravine, rosenbrock, saddle]


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    if shutil.which("node") is None:
        pytest.skip("not installed: node")
    module = compiled(ROOT / "build/objects")
    if module is None:
        pytest.skip("not installed: clang, wasm-ld or WASI's C library")
    path = tmp_path_factory.mktemp("live") / "surface.wasm"
    path.write_bytes(module)

    def walked(surface, rule, start, lr, steps):
        given = map(str, (surface, rule, *start, lr, steps))
        done = subprocess.run(
            ["node", ROOT / "tests" / "surface.mjs", path, *given],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    return walked


def test_rules_and_surfaces(walk):
    found = walk(0, "adam", (1.0, 1.0), 0, 0)
    assert set(OPTIMIZERS) < set(found["usable"]) <= set(_core.RULES)
    assert found["surfaces"] == len(SURFACES)
    assert found["rate"] == lrcore.Adam(np.zeros(1)).lr


@pytest.mark.parametrize("surface", range(3))
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_a_path_has_the_bits_of_python(walk, rule, surface):
    start, of = STARTS[surface], SURFACES[surface]
    found = walk(surface, rule, start, 3e-4, 60)
    assert found["loss"] == of(*start)[0]
    kind, given = OPTIMIZERS[rule]
    w = np.array(start)
    opt = kind(w, lr=3e-4, **given)
    for result, *point in found["points"]:
        gradient = np.array(of(*map(float, w))[1])
        opt.step(gradient)
        assert result == 1
        assert point == [*w, *gradient]
