/* counted.c: call a Python function so that callgrind counts its instructions only. */

#include <Python.h>
#include <valgrind/callgrind.h>

PyObject *counted(PyObject *function)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    PyObject *result = PyObject_CallNoArgs(function);
    CALLGRIND_DUMP_STATS;
    CALLGRIND_STOP_INSTRUMENTATION;
    return result;
}
