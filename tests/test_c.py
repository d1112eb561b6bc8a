"""src_c/ by itself: C programs by the compiler of the extension."""

import os
import random
import re
import subprocess
from functools import cache, partial
from itertools import pairwise

import pytest
from compiled import NATIVE, PLANS, SRC_C, hashes, paths_of

from lrcore import _core


def run(command, **more):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=300, **more
    ).stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Builds a C file of these tests with the extension's objects, by its name."""
    return cache(partial(NATIVE.build, folder=tmp_path_factory.mktemp("programs")))


@pytest.fixture(scope="module")
def native(program):
    return hashes(run([program("bits")]))


def test_every_instruction_set_gives_the_same_bits(native):
    first = native["baseline"]
    assert len(set(first.values())) == len(first), "each line hashes something else"
    assert all(table == first for table in native.values())


def undefined(objects):
    """Return the symbols that objects need of others than the core."""
    listed = run(["nm", "--undefined-only", *paths_of(objects)])
    symbols = re.findall(r"^ +\w (\S+)$", listed, re.MULTILINE)
    return {s for s in symbols if not s.startswith("lrc_")} - {"_GLOBAL_OFFSET_TABLE_"}


def test_the_core_prints_nothing_and_allocates_by_its_allocator():
    """By its symbols: what the objects call from outside, with OpenMP or without."""
    objects = {
        obj.path: obj
        for openmp in (False, True)
        for obj in NATIVE._replace(openmp=openmp).core()
    }
    called = undefined([obj for obj in objects.values() if obj.name != "heap"])
    assert undefined([o for o in objects.values() if o.name == "heap"]) == {
        "realloc", "free"
    }  # fmt: skip
    assert "getenv" in called
    allowed = {"getenv", "strcmp", "pthread_atfork"}
    allowed |= {"__cpu_model", "__cpu_indicator_init", "sqrt", "sqrtf"}
    allowed |= {"memcpy", "memset", "frexp", "ldexp", "fmax", "pow"}
    allowed |= {"strlen", "strncmp", "strcspn", "strspn", "strcat", "strcpy", "stpcpy"}
    allowed |= {"vsnprintf", "__vsnprintf_chk"}  # to the text of an error
    allowed |= {"dladdr", "dlopen", "dlsym", "dlclose"}  # in a fork, of what is loaded
    allowed |= {"sched_getaffinity", "__sched_cpucount", "sysconf", "sched_yield"}
    allowed |= {"pthread_create", "pthread_join", "pthread_sigmask"}
    allowed |= {"sigfillset", "sigdelset", "pthread_mutex_lock", "pthread_mutex_unlock"}
    allowed |= {"pthread_attr_init", "pthread_attr_destroy"}
    allowed |= {"pthread_attr_getstacksize", "pthread_attr_setstacksize"}
    allowed |= {"strtoul", "__isoc23_strtoul", "strchr"}  # of OMP_STACKSIZE
    allowed |= {"__errno_location", "__ctype_b_loc"}
    allowed |= {"__tls_get_addr"}  # the number of OpenMP's threads belongs to a thread
    allowed |= {"syscall", "clock_gettime", "nanosleep"}  # threads wait for work
    allowed |= {"__stack_chk_fail", "__memcpy_chk", "__memset_chk"}  # hardened builds
    openmp = {s for s in called if s.startswith(("omp_", "GOMP_"))}
    assert called - allowed - openmp == set()


# What differs by compiler, processor or system: names that these define, attributes,
# builtins and pragmas.
SPECIAL = re.compile(r"\b(__\w+|_WIN32|_MSC_VER)|#\s*pragma (?!omp)")
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', re.DOTALL)


def test_what_differs_by_compiler_and_processor_is_in_one_file():
    found = {
        str(path.relative_to(SRC_C)): SPECIAL.findall(code)
        for path in SRC_C.rglob("*.*")
        if (code := COMMENT_OR_TEXT.sub("", path.read_text()))
    }
    assert "__builtin_prefetch" in found.pop("portable.h")
    assert "systems/linux.inc" in found
    # A public header, which cannot include portable.h, says what is exported.
    public = {"__cplusplus", "__GNUC__", "__attribute__", "__declspec", "_WIN32"}
    found["lrcore.h"] = {*found["lrcore.h"]} - public
    assert {name: those for name, those in found.items() if those} == {}


# --- plan.h, as the binding sees it ---------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_plans_keep_their_promises(program, name):
    done = subprocess.run(
        [program(name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "done\n"


# What a release has given stays.  What is new has the next numbers, and is listed here
# with the next release.
RULES = """
    sgd sgd_hd momentum nesterov sign signum lion adam amsgrad nadam ademamix laprop
    adabelief yogi adamax adan adopt rprop adagrad rmsprop rmsprop_centered
    rmsprop_momentum rmsprop_centered_momentum adadelta ftrl madgrad prodigy dadapt_sgd
    schedule_free schedule_free_adam
"""
SCALES = "lars novograd adafactor lamb"
GAUGES = """
    distance along_delta norm along_way along_adam along_sum along_last along_last_adam
"""


@pytest.mark.parametrize(
    ("file", "given", "first"),
    [("rules", RULES, 0), ("scales", SCALES, 1), ("gauges", GAUGES, 1)],
)
def test_a_number_once_given_keeps_its_meaning(file, given, first):
    text = (SRC_C / f"{file}.def").read_text()
    lines = re.findall(r"^LRC_[A-Z]+\((\d+), (\w+),", text, re.MULTILINE)
    numbers = {name: int(number) for number, name in lines}
    assert sorted(numbers.values()) == list(range(first, first + len(lines)))
    wanted = {name: number for number, name in enumerate(given.split(), first)}
    assert numbers.items() >= wanted.items()


# --- the shares of threads ------------------------------------------------------------


def test_shares_are_those_of_the_table(program):
    """That of split.h."""
    row = re.compile(r"^ \*     (\d+) +(\d+) +(\d+) +([\d, ]+); (\d+)", re.MULTILINE)
    rows = row.findall((SRC_C / "split.h").read_text())
    assert len(rows) == 4
    asked = "\n".join(" ".join(row[:3]) for row in rows)
    found = run([program("shares")], input=asked).splitlines()
    for (_, _, n, begins, end), line in zip(rows, found, strict=True):
        assert line == " ".join([*begins.split(", "), end])
        assert len(line.split()) == int(n) + 1


def test_shares_cover_all_in_order_and_evenly_to_a_block(program):
    rng = random.Random(1)
    cases = [
        (total, block, n)
        for total in (0, 1, 7, 8, 9, 100, 2048, 2049, 2**63, 2**64 - 1)
        for block in (1, 8, 2048, 2**40)
        for n in (1, 2, 3, 64)
    ]
    cases += [
        (
            rng.randrange(2 ** rng.randrange(64)),
            rng.randrange(1, 5000),
            rng.randrange(1, 99),
        )
        for _ in range(2000)
    ]
    asked = "\n".join(" ".join(map(str, case)) for case in cases)
    found = run([program("shares")], input=asked).splitlines()
    for (total, block, n), line in zip(cases, found, strict=True):
        begins = [int(word) for word in line.split()]
        assert begins[0] == 0
        assert begins[-1] == total
        assert len(begins) == n + 1
        assert all(begin % block == 0 for begin in begins[:-1])
        blocks = [-(-begin // block) for begin in begins]
        counts = [b - a for a, b in pairwise(blocks)]
        assert max(counts) - min(counts) <= 1
        assert min(counts) >= 0


# --- forks ----------------------------------------------------------------------------


@pytest.mark.skipif(not _core.has_openmp(), reason="this build has no OpenMP")
@pytest.mark.parametrize(("threads", "times"), [(1, 0), (2, 1)])
def test_a_fork_pauses_openmp_only_after_steps_of_several_threads(
    program, threads, times
):
    """Before, lrcore has made no pool: what there is belongs to the program."""
    environment = {**os.environ, "LRCORE_THREADING": "openmp"}
    found = run([program("fork"), str(threads)], env=environment)
    assert found == f"paused {times} times, child 0\n"
