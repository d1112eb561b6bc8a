"""The rooms of the package: which may import which, and what the package itself has."""

import ast
import graphlib
import json
import os
import pickle
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import lrcore
from lrcore.monitor import Finding
from lrcore.schedules import Cosine

# From the lowest layer up.  A module imports from its own room and from lower layers;
# rooms of one layer do not know each other.  "lrcore" is the package's own __init__.
LAYERS = [
    {"_shared"},
    {"_core"},
    {"_stateful", "distributed"},
    {"optimizers", "reference", "schedules"},
    {"_c", "_config", "data", "finder", "kernels", "monitor", "space", "training"},
    {
        "local_training",
        *("batch_size", "checkpoint", "jax_ffi", "plots", "scipy", "search"),
        *("threadpool", "trackers"),
    },
    {"lrcore"},
    {"bench", "optax", "sklearn", "thinc", "torch"},
    {"cli"},
    {"__main__"},
]

PACKAGE = Path(lrcore.__file__).parent
TREE = PACKAGE.parent


def modules():
    """Return the files of each module, by its name: one of Python, or the binding's."""
    found = {"lrcore._core": [PACKAGE / "_core.pyi", PACKAGE / "_core.pyx"]}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(TREE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = [path]
    return found


MODULES = modules()


def imported(path):
    """Return the modules of ours that a file imports, those for checkers included."""
    if path.suffix == ".pyx":  # Cython has more words than Python's parser knows
        lines = re.findall(r"^(?:from|import) .*", path.read_text(), re.M)
        lines = [line for line in lines if "cimport" not in line]
        tree = ast.parse("\n".join(lines))
    else:
        tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name not in MODULES:
                name = name.rpartition(".")[0] or name
            if name in MODULES:
                found.add(name)
    return found


def edges():
    """Return pairs of modules, the first of which imports the second."""
    return {
        (name, other)
        for name, paths in MODULES.items()
        for path in paths
        for other in imported(path)
    }


def room(module):
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] or "lrcore"


def test_each_room_is_in_one_layer():
    listed = [each for layer in LAYERS for each in layer]
    assert sorted(listed) == sorted({room(module) for module in MODULES})


def test_imports_lead_down():
    height = {each: k for k, layer in enumerate(LAYERS) for each in layer}
    up = [
        f"{module} imports {other}"
        for module, other in sorted(edges())
        if room(module) != room(other) and height[room(module)] <= height[room(other)]
    ]
    assert up == []


# Rooms that know modules of another one which are its own.
KNOWN = {
    *(("lrcore", "optimizers"), ("cli", "monitor")),
    *(("plots", each) for each in ("finder", "monitor", "optimizers", "schedules")),
    *(("search", "space"), ("checkpoint", "schedules")),
    ("optimizers", "distributed"),
    *(("local_training", each) for each in ("distributed", "optimizers")),
}


def test_other_modules_of_a_room_are_its_own():
    known = {
        (room(module), room(other))
        for module, other in edges()
        if room(module) != room(other) and "._" in other.partition(room(other))[2]
    }
    assert known == KNOWN


def test_no_modules_import_each_other_in_a_circle():
    order = graphlib.TopologicalSorter()
    for module, other in edges():
        order.add(module, other)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


# --- the package itself ---------------------------------------------------------------

# Those that take long, and those of the extras.
UNWANTED = ("matplotlib", "optuna", "tqdm", "importlib.metadata", "numpy.ma")


def test_an_import_takes_optimizers_and_little_else():
    code = "import json, sys, numpy; before = {*sys.modules}; import lrcore; "
    code += "print(json.dumps(sorted({*sys.modules} - before)))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(TREE)},
    )  # fmt: skip
    after = {*json.loads(done.stdout)}
    assert after.isdisjoint(UNWANTED)
    assert {room(name) for name in after if name in MODULES} == {
        "_c", "_config", "_core", "_shared", "_stateful", "lrcore", "optimizers"
    }  # fmt: skip


def test_rooms_have_what_stands_in_the_package():
    for name, names in lrcore._ROOMS.items():
        module = import_module(f"lrcore.{name}")
        assert getattr(lrcore, name) is module
        for each in names:
            assert getattr(lrcore, each) is getattr(module, each)
            assert each in module.__all__
    # What checkers are told to import by a star is all that the room has.
    text = (PACKAGE / "__init__.py").read_text()
    for name in re.findall(r"^    from lrcore\.(\w+) import \*$", text, re.M):
        assert set(lrcore._ROOMS[name]) == set(import_module(f"lrcore.{name}").__all__)


def test_checkers_see_the_names_that_there_are():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {"__version__"}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            star = node.names[0].name == "*"
            given = lrcore._ROOMS[node.module.removeprefix("lrcore.")] if star else ()
            seen |= set(given) if star else {alias.asname for alias in node.names}
    rooms = lrcore._ROOMS
    assert seen == {
        "__version__",
        *rooms,
        *(n for each in rooms.values() for n in each),
    }


def test_all_names_are_told():
    told = dir(lrcore)
    assert set(told) == {*lrcore.__all__, "__version__"}
    assert all(hasattr(lrcore, name) for name in told)
    assert {"Adam", "schedules", "Monitor", "lr_find"} <= set(told)
    assert not any(name.startswith("_") for name in lrcore.__all__)
    names = {}
    exec("from lrcore import *", names)
    assert set(lrcore.__all__) <= names.keys()


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'lrcore' has no attribute 'Adm'"):
        lrcore.Adm  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Adm'"):
        exec("from lrcore import Adm")
    with pytest.raises(AttributeError, match=r"'torch'; import lrcore\.torch first"):
        lrcore.__getattr__("torch")


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "lrcore.torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "lrcore\[torch\]"'):
        import lrcore.torch  # noqa: F401


def kept():
    """Return values of the public classes that users keep in files."""
    opt = lrcore.SGD(np.zeros(2), telemetry=True)
    opt.step(np.ones(2))
    noise = lrcore.GradientNoiseScale(1, 2)
    noise.update(2.0, 1.0)
    monitor = lrcore.Monitor()
    monitor.update(1.0, lr=0.1)
    w = np.ones(2)
    found = lrcore.lr_find(lrcore.SGD(w), lambda _: (w @ w, 2 * w), [0], trial_steps=0)
    return [
        opt.report,
        Finding("flat", "warning", 9, 1, "evidence", "cause", "remedy", "too low"),
        monitor,
        monitor.history,
        found,
        lrcore.sweep(lambda lr: lr, [0.1, 0.2]),
        lrcore.space.betas(),
        lrcore.batch_size.scale_adam(2, 1),
        noise,
        lrcore.LossScaler(),
        lrcore.ReduceOnPlateau(Cosine(0.1, total=9).warmup(2)),
        lrcore.EarlyStopping(),
    ]


@pytest.mark.parametrize("value", kept(), ids=lambda value: type(value).__name__)
def test_pickles(value):
    again = pickle.loads(pickle.dumps(value))
    assert type(again) is type(value)
    assert repr(again) == repr(value)
