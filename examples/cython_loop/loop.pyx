# cython: language_level=3, boundscheck=False, wraparound=False
"""A linear model learns from one sample after the other, in a loop without the GIL.

The steps are functions of lrcore's own extension: its kernels, threads and settings.
"""

cimport lrcore

lrcore.import_lrcore()


cdef int checked(lrcore.lrc_plan *plan, int result) except -1:
    """Raise the plan's error, if the result is one."""
    if result < 0:
        raise ValueError(lrcore.lrc_plan_error(plan).decode())
    return result


def learn(const float[:, ::1] x, const float[::1] y, *, rule="adam", double lr=3e-3):
    """Return the weights of the inputs, and the bias, after a step for each sample.

    x : (samples, at most 31).  y : (samples,).
    """
    cdef Py_ssize_t i, k, n = x.shape[1]
    cdef float p[32]
    cdef float g[32]
    cdef float states[4][32]
    cdef void *state[4]
    cdef float error
    cdef int group, result = 0
    cdef lrcore.lrc_plan *plan
    if n > 31 or y.shape[0] != x.shape[0]:
        raise ValueError("x: expected at most 31 columns, and a row for each of y")
    if lrcore.lrc_plan_create(&plan, lrcore.lrc_heap()) < 0:
        raise MemoryError
    try:
        for k in range(n + 1):
            p[k] = 0
        for i in range(4):
            state[i] = states[i]
            for k in range(n + 1):
                states[i][k] = 0
        result = lrcore.lrc_rule_id(rule.encode())
        group = checked(plan, lrcore.lrc_plan_add_group(plan, result))
        checked(plan, lrcore.lrc_plan_set_hyper(plan, group, "lr", lr))
        checked(
            plan,
            lrcore.lrc_plan_add_tensor(
                plan, group, lrcore.LRC_F32, n + 1, p, g, state,
                lrcore.lrc_rule_n_states(result),
            ),
        )
        with nogil:
            for i in range(x.shape[0]):
                error = p[n] - y[i]
                for k in range(n):
                    error += p[k] * x[i, k]
                for k in range(n):
                    g[k] = error * x[i, k]
                g[n] = error
                result = lrcore.lrc_plan_step(plan)
                if result < 0:
                    break
        checked(plan, result)
        return [p[k] for k in range(n)], p[n]
    finally:
        lrcore.lrc_plan_destroy(plan)
