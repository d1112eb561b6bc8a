"""Programs in C whose steps run in several threads."""

import os
import subprocess
from functools import cache, partial

import pytest
from compiled import NATIVE, paths_of
from threaded import python, run


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Builds a C file of these tests by its name; with ThreadSanitizer, or without."""
    folder = tmp_path_factory.mktemp("threads")
    return cache(partial(build, folder=folder))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if not NATIVE.openmp:
        pytest.skip("this build has no OpenMP")
    return NATIVE.build("stack", tmp_path_factory.mktemp("stack"))


SANITIZED = ("-fsanitize=thread", "-g")


def build(name, sanitized, folder):
    toolchain = NATIVE._replace(openmp=False)  # ThreadSanitizer does not know OpenMP
    if sanitized:
        toolchain = toolchain._replace(flags=SANITIZED, link_flags=SANITIZED)
        folder = folder / "sanitized"
        folder.mkdir(exist_ok=True)
    return toolchain.build(name, folder)


@pytest.mark.parametrize("way", ["together", "numbers", "alternately", "many", "exit"])
@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
def test_a_program_takes_steps(program, way, sanitized):
    """Sanitized: ThreadSanitizer sees no race, in all of the core but its kernels."""
    command = [program("threads", sanitized), way]
    assert run(["setarch", "-R", *command] if sanitized else command) == "same"


@pytest.mark.parametrize(
    ("way", "sanitized"), [("fork", False), ("amid", False), ("amid", True)]
)
def test_a_forked_program_takes_steps(program, way, sanitized):
    """Not "fork" with ThreadSanitizer, which ends a child of a child with threads."""
    command = [program("forked", sanitized), way]
    if sanitized:
        command = ["setarch", "-R", *command]
    assert run(command, TSAN_OPTIONS="die_after_fork=0") == "same"


def test_threads_rest_while_waiting_for_them_takes_longer_than_they_save(program):
    assert run([program("worth", False)]) == "as it should be"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        *(("16k", 2**14), ("2M", 2**21), (" 1 g ", 2**30), ("300", 300 * 2**10)),
        *(("5b", 5), ("60000G", 60_000 * 2**30)),
        # libgomp ignores these.
        *((text, None) for text in ("", "0", "-1", "16x", "many", "2M x", "9" * 30)),
        *((text, None) for text in ("99999999999G", "k", "1.5M")),
    ],
)
def test_the_stack_of_openmps_threads_is_read_as_libgomp_reads_it(stack, text, wanted):
    names = ("OMP_STACKSIZE", "GOMP_STACKSIZE")

    def bytes_with(**environment):
        env = {name: os.environ[name] for name in {*os.environ} - {*names}}
        done = subprocess.run(
            [stack], env={**env, **environment}, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        return done.stdout.strip()  # libgomp says on stderr what it ignores

    for name in names:
        found = bytes_with(**{name: text})
        assert found == (bytes_with() if wanted is None else str(wanted))


def test_threads_end_when_the_library_is_unloaded(tmp_path):
    toolchain = NATIVE._replace(openmp=False, flags=("-fvisibility=default",))
    library = tmp_path / "core.so"
    link = [toolchain.compiler[0], "-shared", "-pthread", *paths_of(toolchain.core())]
    subprocess.run([*link, "-o", library, "-lm"], check=True)
    script = f"""
        import _ctypes, ctypes, os

        def threads():
            return len(os.listdir("/proc/self/task"))

        for _ in range(10):
            core = ctypes.CDLL("{library}")
            g, a = ((ctypes.c_float * 200_000)() for _ in "ga")
            arrays = (ctypes.POINTER(ctypes.c_float) * 1)(a)
            core.lrc_traffic(g, arrays, 1, ctypes.c_size_t(200_000), 3)
            assert threads() == 3
            _ctypes.dlclose(core._handle)
            assert threads() == 1
        print("core.so" in open("/proc/self/maps").read())
    """
    assert python(script) == "False"


def test_steps_go_on_where_no_thread_can_be_made(program):
    assert run([program("refused", False)]) == "asked 1, refused 1, taken"
