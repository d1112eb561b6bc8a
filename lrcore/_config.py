"""Which kernels run, and on how many threads: the settings of this process."""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import Any, Literal

import numpy as np

from lrcore import _core
from lrcore._shared import omp, quota
from lrcore._shared.words import filled, shown
from lrcore.optimizers.base.options import MOST, check_num_threads


@cache
def version() -> str:
    """Return the version that is installed."""
    # It takes longer to import than all else that `import lrcore` does.
    from importlib import metadata

    try:
        return metadata.version("lrcore")
    except metadata.PackageNotFoundError:  # built in place, not installed
        return "unknown"


def set_isa(name: str | None) -> None:
    """Use the kernels of another instruction set; the results are the same bits.

    Parameters
    ----------
    name : str or None
        ``"baseline"``, on x86-64 also ``"avx2"`` and ``"avx512"``; None for the best
        that this processor runs, as at import.

    Raises
    ------
    ValueError
        There is no such table, or this processor cannot run it.

    Examples
    --------
    >>> lrcore.set_isa("baseline"); lrcore.get_isa()
    'baseline'
    >>> lrcore.set_isa(None)
    """
    if not (name is None or isinstance(name, str)) or not _core.set_isa(name):
        runs = [isa for isa, ok in _core.isas().items() if ok]
        raise ValueError(
            f"isa: expected one of {runs}, which run here, found {shown(name)}"
        )


def get_isa() -> str:
    """Return the name of the instruction set in use: see `set_isa`."""
    return _core.isa()


def set_threading(name: str | None) -> None:
    """Choose what runs a step in several threads; the results are the same bits.

    Parameters
    ----------
    name : str or None
        ``"pool"``: lrcore's own threads; a step does not wait for one that another
        program keeps from running, unless it is in the middle of its work.
        ``"openmp"``, if the build has it: the threads of OpenMP, which other libraries
        of the process may share; a step waits for all of them.  If the system refuses
        these, or ``OMP_STACKSIZE`` makes their stacks too small, the pool does the
        work.  ``"serial"``: no other threads.  None for the default, ``"pool"``.

    Raises
    ------
    ValueError
        This build does not have it.

    Examples
    --------
    >>> lrcore.set_threading("serial"); lrcore.get_num_threads()
    1
    >>> lrcore.set_threading(None)
    """
    if name is not None and name not in _core.threadings():
        raise ValueError(f"threading: {_no_back_end(name)}")
    _core.set_threading(name)


def _no_back_end(name: object) -> str:
    text = f"expected one of {_core.threadings()}, found {shown(name)}"
    if isinstance(name, str) and name == "openmp":
        text += (
            "; this build has no OpenMP, nor has any wheel: pip install "
            "--force-reinstall --no-deps --no-binary lrcore lrcore builds lrcore with "
            "the OpenMP of your compiler"
        )
    return text


def get_threading() -> str:
    """Return the name of what runs a step in several threads: see `set_threading`."""
    return _core.threading()


def set_num_threads(n: int | None) -> None:
    """Let steps use at most n threads where their optimizer does not say.

    Parameters
    ----------
    n : int or None
        1 or more; None for the default: OpenMP's (``OMP_NUM_THREADS``,
        ``OMP_THREAD_LIMIT``, threadpoolctl), but no more than the processors of the
        affinity as it is at the step, and than the container's CPU quota at import,
        which a number in ``OMP_NUM_THREADS`` overrules.

    Raises
    ------
    TypeError, ValueError
        n is neither None nor an int of at least 1.

    Examples
    --------
    >>> lrcore.set_num_threads(1); lrcore.get_num_threads()
    1
    >>> lrcore.set_num_threads(None)
    """
    _core.set_num_threads(check_num_threads(n))


def get_num_threads() -> int:
    """Return how many threads a step may use if its optimizer sets no number.

    See `set_num_threads`.
    """
    return _core.num_threads()


def show_config(mode: Literal["print", "dict"] = "print") -> dict[str, Any] | None:
    """Print the build and the settings in use, or return them as a dict.

    These are what a bug report needs: versions, processor, kernels, threads, the OpenMP
    runtimes that the process has loaded by now, variables that set threads, compiler
    and flags.  ``lrcore info --json`` prints the dict.

    Parameters
    ----------
    mode : {"print", "dict"}
        Default "print", which returns None.

    Examples
    --------
    >>> config = lrcore.show_config("dict")
    >>> config["threading"] in config["threadings"]
    True
    """
    if not isinstance(mode, str) or mode not in ("print", "dict"):
        raise ValueError(f'mode: expected "print" or "dict", found {shown(mode)}')
    from lrcore._shared import machine  # takes long to import

    config: dict[str, Any] = {
        "lrcore": version(),
        "numpy": np.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": machine.packages(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": machine.processor(),
        "processors": machine.processors(),
        "quota": quota.cpus(),
        "isa": get_isa(),
        "isas": _core.isas(),
        "openmp": _core.has_openmp(),
        "openmp_libraries": machine.openmp_libraries(),
        "threads": get_num_threads(),
        "threads_set": _core.num_threads_set() or None,
        "threading": get_threading(),
        "ignored": omp.ignored(),
        "threadings": _core.threadings(),
        "threads_refused": _core.threads_refused(),
        "environment": machine.environment(),
        "build": _core.build(),
        "rules": list(_core.RULES),
    }
    if mode == "dict":
        return config
    for label, text in _told(config).items():
        print(filled(f"{label:<9} {text}", indent=10))
    return None


def _told(config: dict[str, Any]) -> dict[str, str]:
    """Return the lines of `show_config`, by their labels."""
    allowed = config["quota"]
    isas = (f"{isa}{'' if ok else ' (not on this processor)'}"
            for isa, ok in config["isas"].items())  # fmt: skip
    threads = f"{config['threads']}, {config['threading']}"
    threads += f" (available: {', '.join(config['threadings'])})"
    for name, value in config["ignored"].items():
        threads += f"; {name}={shown(value)} is no number of threads and is ignored"
    if config["threads_refused"]:
        threads += "; the system has refused to make more: steps go on with fewer"
    versions = {"NumPy": config["numpy"], **config["packages"]}
    lines = {
        "lrcore": f"{config['lrcore']}, {config['python']}, {config['system']}",
        "packages": ", ".join(f"{name} {v}" for name, v in versions.items()),
        "processor": f"{config['processor']}, {config['processors']} to use"
        + (f", a quota of {allowed}" if allowed else ""),
        "kernels": f"{config['isa']} (available: {', '.join(isas)})",
        "threads": threads,
        "OpenMP": ", ".join(config["openmp_libraries"]),
        "variables": ", ".join(f"{k}={v}" for k, v in config["environment"].items()),
        "build": " ".join(config["build"].values()),
        "rules": ", ".join(config["rules"]),
    }
    return {label: text or "none" for label, text in lines.items()}


def _limits() -> list[int]:
    """Return the limits of the default number of threads that the core does not know.

    The quota, unless OMP_NUM_THREADS is set to a number; and what OpenMP would read of
    the environment if it were there.
    """
    asked, most = map(omp.number, omp.VARIABLES)
    found = [quota.cpus() if asked is None else None]
    if not _core.has_openmp():
        found += asked, most
    return [min(n, MOST) for n in found if n is not None]


def heed_environment() -> None:
    """Take LRCORE_NUM_THREADS and the CPU quota; refuse what is not to be had."""
    wanted = os.environ.get("LRCORE_ISA")
    if wanted and wanted != get_isa():
        runs = [isa for isa, ok in _core.isas().items() if ok]
        raise ImportError(
            f"LRCORE_ISA: expected one of {runs}, which run here, found {shown(wanted)}"
        )
    wanted = os.environ.get("LRCORE_THREADING")
    if wanted and wanted != get_threading():
        raise ImportError(f"LRCORE_THREADING: {_no_back_end(wanted)}")
    _core.limit_threads(min(_limits(), default=0))
    if threads := os.environ.get("LRCORE_NUM_THREADS"):
        try:
            set_num_threads(int(threads))
        except ValueError:
            raise ImportError(
                f"LRCORE_NUM_THREADS: expected an int >= 1, found {shown(threads)}"
            ) from None
