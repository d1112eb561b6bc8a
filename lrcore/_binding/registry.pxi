# What the core has: rules, scales and gauges by name; instruction sets; threads.


class Rule(NamedTuple):
    """A line of rules.def."""

    id: int
    states: tuple
    coefs: tuple


class Scale(NamedTuple):
    """A line of scales.def; the name "" is that of no scale."""

    id: int
    states: tuple
    coefs: tuple
    emits: bool


class Gauge(NamedTuple):
    """A line of gauges.def; the name "" is that of no gauge."""

    id: int
    arrays: tuple
    n_sum: int
    coefs: tuple


def _names(const char *listed):
    return tuple(name for name in listed.decode().split(", ") if name)


RULES = {
    lrc_rules[i].name.decode(): Rule(i, _names(lrc_rules[i].states), _names(lrc_rules[i].coefs))
    for i in range(<int>LRC_N_RULES)
}
SCALES = {
    lrc_scales[i].name.decode(): Scale(
        i, _names(lrc_scales[i].states), _names(lrc_scales[i].coefs), bool(lrc_scales[i].emits)
    )
    for i in range(<int>LRC_N_SCALES)
}
GAUGES = {
    lrc_gauges[i].name.decode(): Gauge(
        i, _names(lrc_gauges[i].arrays), lrc_gauges[i].n_sum, _names(lrc_gauges[i].coefs)
    )
    for i in range(<int>LRC_N_GAUGES)
}
FACTORINGS = {"": LRC_UNFACTORED, "product": LRC_PRODUCT, "least": LRC_LEAST}

# Arrays beside the rule's states: of directions that are emitted or made by the caller, of
# gradients gathered; and of Mechanic, with the numbers that its group carries.
SCRATCH, GATHERED = "u", "acc"
MECHANIC = ("mechanic_delta", "mechanic_p0")
MECHANIC_NUMBERS = "mechanic"

cdef int N_COEFS[<int>LRC_N_RULES]
for _rule in RULES.values():
    N_COEFS[<int>_rule.id] = len(_rule.coefs)


def isas():
    """The kernel tables of this build, best last: {name: whether it runs here}."""
    return {lrc_isa_name(i).decode(): bool(lrc_isa_runs(i)) for i in range(lrc_isa_count())}


def isa():
    """The name of the kernel table in use."""
    return lrc_isa().decode()


def set_isa(name):
    """Use the table of that name, or the best one (None); False where it cannot run."""
    if name is None:
        return lrc_set_isa(NULL) == 0
    return lrc_set_isa(name.encode()) == 0


def num_threads():
    """Threads that a step may use where its optimizer does not say."""
    return lrc_num_threads()


def set_num_threads(int n):
    """Set it; 0 for the default of OpenMP."""
    lrc_set_num_threads(n)


def limit_threads(int n):
    """Let the default be at most n; 0 for no limit."""
    lrc_limit_threads(n)


def has_openmp():
    """Whether this build has more than one thread."""
    return bool(lrc_has_openmp())
