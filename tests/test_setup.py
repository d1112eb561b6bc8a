"""setup.py: what is compiled, and when it is compiled again."""

import os
import subprocess
import tarfile

import compiled  # noqa: F401 # lets setup be found
import pytest

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
