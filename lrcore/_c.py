"""Where the C interface is, for those who compile or load what uses it."""

from __future__ import annotations

import os

from lrcore import _core


def get_include() -> str:
    """Return the folder of the header ``lrcore.h``, for the compiler's ``-I``.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path(lrcore.get_include(), "lrcore.h").exists()
    True
    """
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(here, "include")
    if os.path.exists(installed):
        return installed
    return os.path.join(os.path.dirname(here), "src_c")  # built in place


def get_library() -> str:
    """Return the path of a library that has the functions of ``lrcore.h``.

    It is the extension of this package: code that runs in a Python process (by cffi,
    ctypes or numba, or as an extension that is linked with it) calls the functions that
    lrcore's optimizers call, with the same threads and settings.  A program without
    Python needs ``liblrcore``, which ``make libs`` builds: see
    ``docs/reference/c_api.md``.

    Examples
    --------
    >>> import ctypes
    >>> library = ctypes.CDLL(lrcore.get_library())
    >>> library.lrc_rule_id(b"adam")
    7
    """
    return str(_core.__file__)
