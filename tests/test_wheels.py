"""What check_wheels.py refuses."""

import subprocess
import zipfile

import check_wheels
import pytest


@pytest.fixture
def library(tmp_path):
    """Return a function that makes a shared library by some flags."""

    def made(*flags):
        source = tmp_path / "one.c"
        source.write_text("int one(void) { return 1; }\n")
        command = ["cc", "-shared", "-fPIC", source, "-o", tmp_path / "one.so"]
        subprocess.run([*command, *flags], check=True)
        return tmp_path / "one.so"

    return made


def wheel(folder, **files):
    path = folder / "lrcore-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as zipped:
        for name, file in files.items():
            zipped.write(file, f"lrcore{name}/one.so")
    return path


def test_a_good_wheel_is_shown(library, tmp_path, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(
        check_wheels,
        "run",
        lambda *command, run=check_wheels.run: (
            run(*command) if command[0] == "readelf" else shown.append(command)
        ),
    )
    path = wheel(tmp_path, **{"": library()})
    check_wheels.check_contents(path)
    assert shown[0][-3:] == ("auditwheel", "show", path)
    assert "lrcore/one.so: " in capsys.readouterr().out


def test_a_wheel_with_a_library_of_the_system_is_refused(library, tmp_path):
    path = wheel(tmp_path, **{"": library(), ".libs": library()})
    with pytest.raises(SystemExit, match=r"carries lrcore\.libs/one\.so"):
        check_wheels.check_contents(path)


@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_wheel_with_a_run_path_is_refused(library, tmp_path, tags):
    path = wheel(tmp_path, **{"": library(f"-Wl,{tags},-rpath,/opt/here")})
    with pytest.raises(SystemExit, match=r"one\.so has a run path: .*/opt/here"):
        check_wheels.check_contents(path)


@pytest.mark.parametrize("name", ["x.whl", "x.so"])
def test_what_is_too_large_is_refused(name):
    most = max(check_wheels.MOST.values())
    check_wheels.check_size(name, 1)
    with pytest.raises(SystemExit, match=f"{name} is too large"):
        check_wheels.check_size(name, most + 1)
