# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The binding: a Plan resolves pointers once; its step() is one call of lrc_step().

Arrays are checked here, in a few nanoseconds each.  If a check fails,
_shared/refusals.py looks for the reason and raises an error that names it.
"""

from typing import NamedTuple

import numpy as np

from lrcore._shared import overlaps, refusals
from lrcore._shared.arrays import bare, convertible, viewed
from lrcore._shared.forks import in_children
from lrcore._shared.trees import root

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_Clear
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pythread cimport PyThread_get_thread_ident
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.math cimport INFINITY, NAN, fabs, hypot, isfinite, sqrt
from libc.stdint cimport (
    int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t,
)
from libc.stdlib cimport qsort
from libc.string cimport memcpy, memset

from lrcore._plan cimport *

cnp.import_array()

include "_binding/registry.pxi"
include "_binding/arrays.pxi"
include "_binding/spans.pxi"
include "_binding/memory.pxi"
include "_binding/held.pxi"
include "_binding/gradients.pxi"
include "_binding/absent.pxi"
include "_binding/groups.pxi"
include "_binding/mechanic.pxi"
include "_binding/layout.pxi"
include "_binding/numbers.pxi"
include "_binding/answers.pxi"
include "_binding/limits.pxi"
include "_binding/curvature.pxi"
include "_binding/placed.pxi"
include "_binding/reports.pxi"
include "_binding/forks.pxi"
include "_binding/lock.pxi"
include "_binding/undisturbed.pxi"
include "_binding/resolved.pxi"
include "_binding/plan.pxi"
include "_binding/sharded.pxi"
include "_binding/settings.pxi"
include "_binding/commit.pxi"
include "_binding/lent.pxi"
include "_binding/ended.pxi"
include "_binding/scaled.pxi"
include "_binding/once.pxi"
include "_binding/xla.pxi"
include "_binding/capsule.pxi"
include "_binding/exchange.pxi"
