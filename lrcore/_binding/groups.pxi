# What the core has of a tensor and of a group, from what Python says of them.


class Factors(NamedTuple):
    """A tensor as matrices in a row, whose second moment is factored.

    least : whether it is the least of the two factors, and not their product.
    row, col : factors, of the tensor's dtype: n_rows and n_cols of each matrix.
    floor : see lrcore.h.
    """

    least: bool
    row: object
    col: object
    n_rows: int
    n_cols: int
    floor: float


cdef class Folded:
    """A step's numbers, but for what the step itself makes.

    coefs : (step from 1, lr, decay) to the driver's decay and lr, and the rule's own;
        where the group carries numbers or has a gauge, (step, lr, decay, numbers, sums)
        to what the numbers become, the same, and the rate to report.
    gauge : (step, lr, numbers) to the gauge's coefficients, or None.
    lr, decay, gscale, l2 : see lrcore.h.
    weights, scale : step to the weights of averages, to a scale's numbers; or None.
    factor : two functions, or None: from (step, p, state) to the Factors that are read,
        and from (step, p, state, these, row_stat, col_stat) to those that the gradient is
        divided by and (array, value) pairs to be written with the step.
    direct : from (step, [(p, x, state)]) to pairs to be written with the step; it puts
        directions in the place of the gradients x.  Or None.
    tune : Mechanic's: (its numbers, sums) to what they become and to those of the group.
    clip_value, clip_norm, agc, agc_eps : as in a group; 0 for none.
    """

    cdef public object coefs, lr, decay, weights, scale, gauge, factor, direct, tune
    cdef public double gscale, l2, clip_value, clip_norm, agc, agc_eps

    def __init__(
        self, coefs, lr, decay, double gscale, double l2, *, weights=None, scale=None,
        gauge=None, factor=None, direct=None, tune=None, double clip_value=0,
        double clip_norm=0, double agc=0, double agc_eps=0,
    ):
        self.coefs, self.lr, self.decay, self.gscale, self.l2 = coefs, lr, decay, gscale, l2
        self.weights, self.scale, self.gauge, self.tune = weights, scale, gauge, tune
        self.factor, self.direct = factor, direct
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.agc, self.agc_eps = agc, agc_eps


cdef int set_group(lrc_group *c, part) except -1:
    """Set what a group in C has for good."""
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
    """Set the driver's decay and lr, and the rule's own numbers."""
    cdef Py_ssize_t i
    if not N_COEFS[<int>group.rule] <= len(numbers) - 2 <= LRC_MAX_COEFS - LRC_RULE_COEFS:
        raise ValueError(f"coefs: expected {N_COEFS[<int>group.rule]}, found {len(numbers) - 2}")
    for i in range(len(numbers)):
        group.coef[2 + i] = numbers[i]
    return 0


cdef int set_numbers(lrc_group *group, Folded folded, t) except -1:
    """Set what else a group has for step t, from 1."""
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
    return 0


cdef int set_factors(lrc_tensor *t, factors) except -1:
    t.factors.row, t.factors.col = data(factors.row), data(factors.col)
    t.factors.n_rows, t.factors.n_cols = factors.n_rows, factors.n_cols
    t.factors.floor = factors.floor
    return 0


cdef int set_tensor(lrc_tensor *t, cnp.ndarray p, part, state) except -1:
    """Point a tensor to p and to its arrays, in the order of the part's rule, averages
    and scale."""
    t.p = cnp.PyArray_DATA(p)
    t.n = <size_t>cnp.PyArray_SIZE(p)
    t.dtype = dtype_of(p)
    scale = SCALES[part.scale]
    for i, name in enumerate(RULES[part.rule].states):
        t.s[i] = data(state[name])
    for i, name in enumerate(part.averages):
        t.a[i] = data(state[name])
    for name in scale.states:
        t.scale_state = <double *>data(state[name])
    for i, name in enumerate(GAUGES[part.gauge].arrays):
        t.gauged[i] = data(state[name])
    if scale.emits or part.directed:
        t.u = data(state[SCRATCH])
    if GATHERED in state:
        t.acc = data(state[GATHERED])
    if MECHANIC_NUMBERS in state:
        t.mechanic_delta, t.mechanic_p0 = data(state[MECHANIC[0]]), data(state[MECHANIC[1]])
    return 0


cdef int set_units(lrc_tensor *t, units) except -1:
    t.units.outer, t.units.reduced, t.units.inner = units
    return 0
