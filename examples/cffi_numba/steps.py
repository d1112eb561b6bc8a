"""The C interface by address: from Python with cffi or ctypes, and in a loop of numba.

The functions are those of lrcore's extension, ``lrcore.get_library()``: its kernels,
threads and settings.

    python steps.py ctypes      a loop in Python
    python steps.py cffi        the same, with cffi
    python steps.py numba       a compiled loop, which calls the function by its address
"""

import argparse
import ctypes
import time

import numpy as np

import lrcore

INPUTS, SAMPLES = 9, {"ctypes": 3000, "cffi": 3000, "numba": 300_000}
LIBRARY = ctypes.CDLL(lrcore.get_library())
AT, INT, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p


def declared(name, result, *parameters):
    """A function of lrcore.h, with its types."""
    function = LIBRARY[name]
    function.restype, function.argtypes = result, parameters
    return function


create = declared("lrc_plan_create", INT, AT, AT)
destroy = declared("lrc_plan_destroy", None, AT)
error = declared("lrc_plan_error", TEXT, AT)
heap = declared("lrc_heap", AT)
rule_id = declared("lrc_rule_id", INT, TEXT)
add_group = declared("lrc_plan_add_group", INT, AT, INT)
add_tensor = declared(
    "lrc_plan_add_tensor", INT, AT, INT, INT, ctypes.c_size_t, AT, AT, AT, INT
)
set_hyper = declared("lrc_plan_set_hyper", INT, AT, INT, TEXT, ctypes.c_double)
step = declared("lrc_plan_step", INT, ctypes.c_size_t)  # numba takes an address as this


class Plan:
    """Adam for one array of float32, by its gradient g; it keeps both alive."""

    def __init__(self, p, g, lr):
        made = AT()
        if create(ctypes.byref(made), heap()) < 0:
            raise MemoryError
        self.at, self.arrays = made.value, (p, g, np.zeros_like(p), np.zeros_like(p))
        addresses = [array.ctypes.data for array in self.arrays]
        group = self.checked(add_group(self.at, rule_id(b"adam")))
        self.checked(set_hyper(self.at, group, b"lr", lr))
        states = (AT * 2)(*addresses[2:])
        self.checked(
            add_tensor(self.at, group, 0, p.size, *addresses[:2], states, 2)  # 0: float
        )

    def checked(self, result):
        """Raise the plan's error, if the result is one."""
        if result < 0:
            raise ValueError(error(self.at).decode())
        return result

    def __del__(self):
        if hasattr(self, "at"):
            destroy(self.at)


def loop(x, y, p, g, plan, take):
    """Take a step for each sample; numba compiles this, too."""
    result = 1
    for i in range(len(x)):
        wrong = p[-1] - y[i]
        for k in range(x.shape[1]):
            wrong += p[k] * x[i, k]
        for k in range(x.shape[1]):
            g[k] = wrong * x[i, k]
        g[-1] = wrong
        result = min(result, take(plan))
    return result


def made(way):
    """The loop, and the function that takes a step, for each way to call it."""
    if way == "numba":
        import numba

        return numba.njit(loop), step  # numba takes the address of a ctypes function
    if way == "cffi":
        import cffi

        ffi = cffi.FFI()
        ffi.cdef("int lrc_plan_step(uintptr_t plan);")
        return loop, ffi.dlopen(lrcore.get_library()).lrc_plan_step
    return loop, step


def main():
    """Learn a linear model with 10 parameters."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("way", choices=SAMPLES, help="what calls the functions")
    way = parser.parse_args().way
    rng = np.random.default_rng(0)
    true = rng.normal(size=INPUTS).astype("float32")
    x = rng.normal(size=(SAMPLES[way], INPUTS)).astype("float32")
    y = x @ true + np.float32(0.5)
    p, g = np.zeros((2, INPUTS + 1), "float32")
    plan = Plan(p, g, lr=3e-3)
    run, take = made(way)
    run(x[:1], y[:1], p, g, plan.at, take)  # numba compiles it
    began = time.perf_counter()
    plan.checked(run(x, y, p, g, plan.at, take))
    taken = time.perf_counter() - began
    print(f"largest error {max(abs(p[:-1] - true).max(), abs(p[-1] - 0.5)):.1e}")
    print(f"{taken / len(x) * 1e9:.0f} ns a sample")


if __name__ == "__main__":
    main()
