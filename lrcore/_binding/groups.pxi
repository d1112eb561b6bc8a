# The core's tensors and groups, set from their descriptions in Python.


cdef class Folded:
    """The numbers of a step, and functions for those that depend on its number or sums.

    A step is counted from 1.  A function that does not apply is None.

    coefs : (step, lr, decay) -> (decay, lr, *the rule's coefficients).  In a group that
        carries numbers or has a gauge: (step, lr, decay, numbers, sums) ->
        (the new numbers, the same coefficients, the rate to report).
    gauge : (step, lr, numbers) -> the gauge's coefficients.
    lr, decay, gscale, l2 : see plan.h.
    weights, scale, factor : (step) -> the weights of averages; the coefficients of the
        scale; those of the factored second moment.
    direct : (arrays, buffers); it replaces the rule's directions in these arrays by
        others.  buffers: a dict in which it can keep arrays from step to step.
    tune : Mechanic's Tune.
    adagc : what sets clip_norm for each array from its past norms.
    clip_value, clip_norm, agc, agc_eps : as in lrc_group; 0 for none.
    """

    cdef public object coefs, lr, decay, weights, scale, gauge, factor, direct, tune
    cdef public object adagc
    cdef public double gscale, l2, clip_value, clip_norm, agc, agc_eps

    def __init__(
        self, coefs, lr, decay, double gscale, double l2, *, weights=None, scale=None,
        gauge=None, factor=None, direct=None, tune=None, adagc=None,
        double clip_value=0, double clip_norm=0, double agc=0, double agc_eps=0,
    ):
        self.coefs, self.lr, self.decay = coefs, lr, decay
        self.gscale, self.l2 = gscale, l2
        self.weights, self.scale, self.gauge, self.tune = weights, scale, gauge, tune
        self.factor, self.direct, self.adagc = factor, direct, adagc
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.agc, self.agc_eps = agc, agc_eps


cdef int set_group(lrc_group *c, part) except -1:
    """Set the fields of a group in C that never change."""
    c.rule = <lrc_rule><int>RULES[part.rule].id
    c.scale = <lrc_scale><int>SCALES[part.scale].id
    c.gauge = <lrc_gauge><int>GAUGES[part.gauge].id
    c.factoring = FACTORINGS[part.factoring]
    c.directed = part.directed
    if len(part.averages) > LRC_MAX_AVERAGES:
        raise ValueError(
            f"averages: expected at most {LRC_MAX_AVERAGES}, found {len(part.averages)}"
        )
    for i, name in enumerate(part.averages):
        c.average[i].pulls = name in part.pulls
    return 0


cdef int set_coefs(lrc_group *group, tuple numbers) except -1:
    """Set the coefficients decay and lr, and those of the rule."""
    cdef Py_ssize_t i
    cdef int wanted = N_COEFS[<int>group.rule]
    if not wanted <= len(numbers) - 2 <= LRC_MAX_COEFS - LRC_RULE_COEFS:
        raise ValueError(f"coefs: expected {wanted}, found {len(numbers) - 2}")
    for i in range(len(numbers)):
        group.coef[2 + i] = numbers[i]
    return 0


cdef int set_numbers(lrc_group *group, Folded folded, t) except -1:
    """Set a group's other numbers for step t, counted from 1."""
    cdef tuple numbers
    cdef Py_ssize_t i
    group.coef[0], group.coef[1] = folded.gscale, folded.l2
    group.clip_value, group.clip_norm = folded.clip_value, folded.clip_norm
    group.agc, group.agc_eps = folded.agc, folded.agc_eps
    if folded.weights is not None:
        numbers = folded.weights(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_AVERAGES, len(numbers))):
            group.average[i].weight = numbers[i]
    if folded.scale is not None:
        numbers = folded.scale(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_SCALE_COEFS, len(numbers))):
            group.scale_coef[i] = numbers[i]
    if folded.factor is not None:
        numbers = folded.factor(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_FACTOR_COEFS, len(numbers))):
            group.factor_coef[i] = numbers[i]
    return 0


cdef tuple names_of(part):
    """The names of the arrays of a part's tensors: of the rule, the averages, the scale
    and the gauge, and of scratch."""
    scale = SCALES[part.scale]
    scratch = (SCRATCH,) if scale.emits or part.directed else ()
    return (
        RULES[part.rule].states, part.averages, scale.states, GAUGES[part.gauge].arrays,
        scratch,
    )


cdef int set_tensor(lrc_tensor *t, cnp.ndarray p, tuple names, state) except -1:
    """Point a tensor to p and to its arrays, which `state` has by name.

    names : see names_of().
    """
    cdef tuple states, averages, scales, gauged, scratch
    cdef Py_ssize_t i
    states, averages, scales, gauged, scratch = names
    t.p = cnp.PyArray_DATA(p)
    t.n = <size_t>cnp.PyArray_SIZE(p)
    t.dtype = dtype_of(p)
    for i in range(len(states)):
        t.s[i] = data(state[states[i]])
    for i in range(len(averages)):
        t.a[i] = data(state[averages[i]])
    for name in scales:
        t.scale_state = <double *>data(state[name])
    for i in range(len(gauged)):
        t.gauged[i] = data(state[gauged[i]])
    for name in scratch:
        t.u = data(state[name])
    if GATHERED in state:
        t.acc = data(state[GATHERED])
    if MECHANIC_NUMBERS in state:
        delta, p0 = MECHANIC
        t.mechanic_delta, t.mechanic_p0 = data(state[delta]), data(state[p0])
    return 0


cdef int set_owned(lrc_tensor *t, owned) except -1:
    begin, end = owned
    t.before, t.after = begin, t.n - <size_t>end
    return 0


cdef int set_sides(lrc_tensor *t, list sides) except -1:
    """Point a tensor to the sides of its second moment, as (array, length) pairs; the
    tensor owns the list of them."""
    cdef Py_ssize_t i
    cdef lrc_side *made = <lrc_side *>allocate(len(sides), sizeof(lrc_side))
    t.factors.side, t.factors.n_sides = made, len(sides)
    for i in range(len(sides)):
        array, length = sides[i]
        made[i].x, made[i].n = data(array), length
    return 0


cdef int set_units(lrc_tensor *t, units) except -1:
    t.units.outer, t.units.reduced, t.units.inner = units
    return 0
