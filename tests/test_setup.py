"""setup.py: what is compiled, and when it is compiled again."""

import os
import subprocess
import sysconfig
import tarfile
from types import SimpleNamespace

import compiled  # noqa: F401 # lets setup be found
import pytest
from setuptools import Distribution

import setup

CC = ["cc", "-I."]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.h").write_text("enum { ONE = 1 };\n")
    (tmp_path / "a b.c").write_text('#include "one.h"\nint one(void) { return ONE; }\n')
    return tmp_path / "a b.c"


@pytest.fixture
def made(source):
    obj = setup.Object(source.parent, "one", CC, source)
    assert not obj.is_current()
    obj.compile()
    assert obj.is_current()
    return obj


def touch_later(path, than):
    time = than.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(time, time))


@pytest.mark.parametrize("name", ["a b.c", "one.h"])
def test_an_object_is_stale_once_its_source_or_a_header_has_changed(made, source, name):
    touch_later(source.parent / name, made.path)
    assert not made.is_current()


@pytest.mark.parametrize("suffix", [".o", ".d"])
def test_an_object_is_stale_without_its_files(made, suffix):
    made.path.with_suffix(suffix).unlink()
    assert not made.is_current()


def test_an_object_is_stale_without_a_header(made, source):
    (source.parent / "one.h").unlink()
    assert not made.is_current()


def test_another_command_makes_another_object(made, source):
    other = setup.Object(source.parent, "one", [*CC, "-O1"], source)
    assert other.path != made.path
    assert setup.Object(source.parent, "one", CC, source).path == made.path


def test_an_object_that_does_not_compile_is_an_error_and_leaves_none(source):
    source.write_text("int\n")
    obj = setup.Object(source.parent, "one", CC, source)
    with pytest.raises(setup.CompileError, match="this command failed: cc "):
        obj.compile()
    assert not list(source.parent.glob("*.o"))


def test_what_fails_side_by_side_fails():
    def fail(item):
        raise subprocess.SubprocessError(item)

    with pytest.raises(subprocess.SubprocessError):
        setup.side_by_side(fail, range(3))
    assert setup.side_by_side(abs, [-1, -2, -3], jobs=2) == [1, 2, 3]


@pytest.mark.parametrize("openmp", [True, False])
def test_openmps_threads_are_compiled_where_there_is_openmp(
    tmp_path, monkeypatch, openmp
):
    for name in ["kernels", "threads", "threads_openmp", "threads_pool"]:
        (tmp_path / f"{name}.c").touch()
    monkeypatch.setattr(setup, "SRC_C", tmp_path)
    found = [path.stem for path in setup.c_sources(openmp)]
    assert found == ["threads", *["threads_openmp"] * openmp, "threads_pool"]


def test_the_same_sources_make_the_same_archive(tmp_path, monkeypatch):
    """Whatever their times, and the order in which they were written."""
    made = []
    for names in ("ab", "ba"):
        folder = tmp_path / names / "lrcore-1"
        (folder / "src").mkdir(parents=True)
        for name in names:
            (folder / "src" / name).write_text(name)
            os.utime(folder / "src" / name, (len(made), len(made)))
        monkeypatch.chdir(folder.parent)
        setup.archive("lrcore-1", "x.tar.gz")
        made.append((folder.parent / "x.tar.gz").read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "ab" / "x.tar.gz") as tar:
        assert tar.getnames() == [
            "lrcore-1",
            *(f"lrcore-1/src{x}" for x in ("", "/a", "/b")),
        ]
        assert {member.mtime for member in tar} == {315532800}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    setup.archive("lrcore-1", "x.tar.gz")
    with tarfile.open("x.tar.gz") as tar:
        assert {member.mtime for member in tar} == {7}


@pytest.fixture
def build(monkeypatch):
    """A build_ext whose compiler is one's own object."""
    monkeypatch.delenv("LRCORE_BUILD_OPENMP", raising=False)
    command = setup.BuildExt(Distribution())
    command.compiler = SimpleNamespace(
        compiler_so=["cc", "-fPIC"], linker_so=["cc", "-shared"]
    )
    command.include_dirs = []
    return command


@pytest.mark.parametrize("asked", [None, "0", "1"])
@pytest.mark.parametrize("there", [True, False])
def test_openmp_is_built_if_it_is_there_and_not_unwanted(
    build, monkeypatch, capsys, asked, there
):
    monkeypatch.setattr(build, "has_openmp", lambda: there)
    if asked:
        monkeypatch.setenv("LRCORE_BUILD_OPENMP", asked)
    if asked == "1" and not there:
        with pytest.raises(setup.PlatformError, match="is 1, but cc has no OpenMP"):
            build.wants_openmp()
        return
    assert build.wants_openmp() == (there and asked != "0")
    told = "cc has no OpenMP; building without" in capsys.readouterr().out
    assert told == (not there and asked is None)


def test_what_is_asked_of_openmp_is_0_or_1(build, monkeypatch):
    monkeypatch.setenv("LRCORE_BUILD_OPENMP", "no")
    with pytest.raises(setup.PlatformError, match="expected 0 or 1, found 'no'"):
        build.wants_openmp()


def test_a_compiler_has_openmp_if_a_program_of_it_can_be_linked(build, monkeypatch):
    def fail(*_, **__):
        raise setup.CompileError("no omp.h")

    build.compiler.compile = lambda *_, **__: ["probe.o"]
    build.compiler.link_shared_object = lambda *_, **__: None
    assert build.has_openmp()
    build.compiler.link_shared_object = fail
    assert not build.has_openmp()
    build.compiler.compile = fail
    assert not build.has_openmp()


def test_a_missing_compiler_is_named(build):
    build.explain_what_is_missing()
    build.compiler.compiler_so = ["no-such-cc", "-O2"]
    with pytest.raises(
        setup.PlatformError, match=r"needs a C compiler, and 'no-such-cc' was not .* CC"
    ):
        build.explain_what_is_missing()


def test_missing_headers_are_named(build, monkeypatch, tmp_path):
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(
        setup.PlatformError, match=r"Python.h was not found. .* python3-dev"
    ):
        build.explain_what_is_missing()


def test_the_environments_flags_neither_change_bits_nor_the_kernels_sets(
    build, tmp_path
):
    """Of two flags that contradict each other, the last one counts."""
    wanted = ["-march=native", "-ffast-math", "-ffp-contract=fast", "-O1"]
    build.compiler.compiler_so += wanted
    objects = build.objects(tmp_path, tmp_path / "core.c", [])
    assert {obj.name for obj in objects} > {"step", "_core", "kernels_baseline_f32"}
    for obj in objects:
        at = {flag: k for k, flag in enumerate(obj.command)}
        assert at["-ffast-math"] < at["-fno-fast-math"]
        assert at["-ffp-contract=fast"] < at["-ffp-contract=off"]
        assert at["-O1"] < at["-O3"]
        if setup.X86_64 and obj.name.startswith("kernels"):
            assert at["-march=native"] < at["-march=x86-64"]


@pytest.mark.parametrize("openmp", [True, False])
def test_run_paths_of_pythons_flags_are_kept_only_for_openmp(build, openmp):
    linked = []
    build.compiler.linker_so = ["cc", "-shared", "-Wl,-rpath,/opt/lib", "-L/opt/lib"]
    build.compiler.link_shared_object = lambda *_, extra_postargs: linked.append(
        [*build.compiler.linker_so, *extra_postargs]
    )
    flags = ["-fopenmp"] * openmp
    build.link(["a.o"], "a.so", flags)
    kept = ["-Wl,-rpath,/opt/lib"] * openmp
    assert linked == [["cc", "-shared", *kept, "-L/opt/lib", *flags]]


@pytest.mark.skipif(setup.WINDOWS, reason="it is about other systems")
def test_on_windows_clang_compiles_and_links(build, monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(setup, "WINDOWS", True)
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: commands.append(command)
    )
    build.library_dirs = ["C:\\Python\\libs"]
    target = str(tmp_path / "build" / "_core.pyd")
    assert build.compile_command() == ["clang"]
    monkeypatch.setenv("CC", "C:\\LLVM\\clang.exe --target=x86_64-pc-windows-msvc")
    build.link(["a.o"], target, ["-O3"])
    clang = ["C:\\LLVM\\clang.exe", "--target=x86_64-pc-windows-msvc"]
    folder = "-LC:\\Python\\libs"
    assert commands == [[*clang, "-shared", "a.o", folder, "-O3", "-o", target]]
    assert (tmp_path / "build").is_dir()
