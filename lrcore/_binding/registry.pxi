# The core's rules, scales and gauges by name; its instruction sets; its threads.


class Rule(NamedTuple):
    """A line of rules.def."""

    id: int
    states: tuple
    coefs: tuple
    nonnegative: tuple  # those of the states that no step makes negative


class Scale(NamedTuple):
    """A line of scales.def; the name "" is that of no scale."""

    id: int
    states: tuple
    coefs: tuple
    emits: bool
    nonnegative: tuple


class Gauge(NamedTuple):
    """A line of gauges.def; the name "" is that of no gauge."""

    id: int
    arrays: tuple
    n_sum: int
    coefs: tuple


_NONNEGATIVE = " >= 0"  # behind the name of a state


def _names(const char *listed):
    return tuple(name for name in listed.decode().split(", ") if name)


def _states(const char *listed):
    return tuple(name.removesuffix(_NONNEGATIVE) for name in _names(listed))


def _nonnegative(const char *listed):
    return tuple(
        name.removesuffix(_NONNEGATIVE)
        for name in _names(listed)
        if name.endswith(_NONNEGATIVE)
    )


RULES = {
    lrc_rules[i].name.decode(): Rule(
        i,
        _states(lrc_rules[i].states),
        _names(lrc_rules[i].coefs),
        _nonnegative(lrc_rules[i].states),
    )
    for i in range(<int>LRC_N_RULES)
}
SCALES = {
    lrc_scales[i].name.decode(): Scale(
        i,
        _states(lrc_scales[i].states),
        _names(lrc_scales[i].coefs),
        bool(lrc_scales[i].emits),
        _nonnegative(lrc_scales[i].states),
    )
    for i in range(<int>LRC_N_SCALES)
}
GAUGES = {
    lrc_gauges[i].name.decode(): Gauge(
        i,
        _names(lrc_gauges[i].arrays),
        lrc_gauges[i].n_sum,
        _names(lrc_gauges[i].coefs),
    )
    for i in range(<int>LRC_N_GAUGES)
}
FACTORINGS = {"": LRC_UNFACTORED, "product": LRC_PRODUCT, "least": LRC_LEAST}

# Names of arrays besides the rule's states.
SCRATCH = "u"  # directions that a scale or the caller needs
GATHERED = "acc"  # the sum of gathered gradients
LAST_P, LAST_G = "last_p", "last_g"  # of the last step, for its curvature
NORM_MEAN = "norm_mean"  # of a gradient's past norms, for AdaGC
MECHANIC = ("mechanic_delta", "mechanic_p0")
MECHANIC_NUMBERS = "mechanic"  # the numbers that Mechanic carries, one array a group

cdef int N_COEFS[<int>LRC_N_RULES]
for _rule in RULES.values():
    N_COEFS[<int>_rule.id] = len(_rule.coefs)


def isas():
    """The instruction sets of this build, best last: {name: whether it runs here}."""
    n = lrc_isa_count()
    return {lrc_isa_name(i).decode(): bool(lrc_isa_runs(i)) for i in range(n)}


def isa():
    """The name of the instruction set in use."""
    return lrc_isa().decode()


def set_isa(name):
    """Use this instruction set, or the default (None); False if it cannot run."""
    if name is None:
        return lrc_set_isa(NULL) == 0
    return lrc_set_isa(name.encode()) == 0


def threadings():
    """What this build can run a step in several threads by, the default first."""
    names = []
    for i in range(lrc_threading_count()):
        names.append(lrc_threading_name(i).decode())
    return names


def threading():
    """The one of threadings() in use."""
    return lrc_threading().decode()


def set_threading(name):
    """Use this one, or the default (None); False if the build does not have it."""
    if name is None:
        return lrc_set_threading(NULL) == 0
    return lrc_set_threading(name.encode()) == 0


def threads_refused():
    """Whether the system has refused to make a thread for the pool.

    False where the pool does OpenMP's work, as stacks would be too small, and gets its
    threads: steps have as many as they ask for.
    """
    return bool(lrc_threads_refused())


def num_threads():
    """The number of threads of a step whose optimizer sets none."""
    return lrc_num_threads()


def set_num_threads(int n):
    """Set num_threads(); 0 for the default."""
    lrc_set_num_threads(n)


def num_threads_set():
    """What set_num_threads() was given; 0 for the default."""
    return lrc_num_threads_set()


def limit_threads(int n):
    """Limit the default number of threads to n; 0 for no limit."""
    lrc_limit_threads(n)


def has_openmp():
    """Whether this build has OpenMP."""
    return bool(lrc_has_openmp())


cdef extern from *:
    """
    #ifndef LRC_BUILD
    #define LRC_BUILD "{}"
    #endif
    """
    const char *LRC_BUILD  # JSON, which setup.py defines


def build():
    """The compiler and the flags of this build, by setup.py; empty if not by it."""
    from json import loads

    return loads(LRC_BUILD)
