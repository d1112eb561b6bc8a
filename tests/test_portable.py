"""The core on other systems and processors: the same bits, and threads where there are.

tests/targets.py lists them.  What they need is installed by .ci/run.
"""

import importlib.util
from functools import cache

import pytest
from compiled import NATIVE, PLANS, hashes
from targets import LINKED, TARGETS, run

pytestmark = pytest.mark.compilers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("targets")


@pytest.fixture(scope="module")
def wanted(folder):
    """The hashes of the extension's own kernels, which test_c.py compares."""
    return hashes(run([NATIVE.build("bits", folder)]))["baseline"]


@pytest.fixture(scope="module", params=TARGETS)
def target(request, folder):
    """A target, and what runs a C file of these tests on it by its name."""
    found = TARGETS[request.param]
    absent = found.absent()
    if absent:
        pytest.skip(f"not installed: {' '.join(absent)}")
    own = folder / request.param
    own.mkdir()
    build = cache(lambda name: found.toolchain.build(name, own))
    return found, lambda name, *arguments: run(
        [*found.runner, build(name), *arguments], WINEPREFIX=str(folder / "wine")
    )


def test_the_bits_are_the_same(target, wanted):
    kind, ran = target
    found = hashes(ran("bits"))
    assert found["baseline"] == wanted
    assert all(table == wanted for table in found.values())
    assert set(found) <= set(kind.toolchain.isas)


def test_the_system_keeps_what_it_promises(target):
    kind, ran = target
    threads = "threads" if kind.threads else "no threads"
    assert ran("system") == f"{threads}, {'flushes' if kind.flushes else 'keeps'}\n"


def test_plans_keep_their_promises(target):
    kind, ran = target
    if not kind.rounds:
        pytest.skip("it has one mode of rounding")
    for name in PLANS:
        assert ran(name) == "done\n", name


@pytest.mark.parametrize("way", ["together", "numbers", "alternately", "many", "exit"])
def test_threads_take_steps(target, way):
    kind, ran = target
    if not kind.threads:
        pytest.skip("it has no threads")
    assert ran("threads", way) == "same\n"


@pytest.mark.parametrize("way", ["fork", "amid"])
def test_a_forked_process_begins_anew_without_futexes(folder, way):
    program = TARGETS["posix"].toolchain.build("forked", folder)
    assert run([program, way]) == "same\n"


@pytest.mark.parametrize("name", LINKED)
def test_a_program_is_linked(name, folder):
    """With the functions that the system has; nothing here can run it."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    for program in ("bits", *PLANS, "system", "threads"):
        assert LINKED[name].build(program, folder).stat().st_size > 0
