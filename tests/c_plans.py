"""Plans of lrcore.h, called from Python by ctypes."""

import ctypes

import numpy as np

import lrcore

LIBRARY = ctypes.CDLL(lrcore.get_library())
OK, SKIPPED, TAKEN, REFUSED, BAD_ARGUMENT, NO_MEMORY = 0, 0, 1, -1, -2, -3
ALL = -1
RESIZE = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t
)


class Allocator(ctypes.Structure):
    _fields_ = [("resize", RESIZE), ("context", ctypes.c_void_p)]


class Norms(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_double) for name in ("grad", "clipped", "param", "update")),
        ("nonfinite", ctypes.c_uint64),
    ]


_INT, _SIZE, _DOUBLE = ctypes.c_int, ctypes.c_size_t, ctypes.c_double
_TEXT, _AT = ctypes.c_char_p, ctypes.c_void_p
_RESULTS = {
    **dict.fromkeys(("lrc_error_text", "lrc_plan_error", "lrc_rule_name"), _TEXT),
    **dict.fromkeys(("lrc_rule_states", "lrc_rule_coefs", "lrc_rule_hyper"), _TEXT),
    "lrc_heap": ctypes.POINTER(Allocator),
    "lrc_plan_steps": ctypes.c_uint64,
}
_ARGUMENTS = {
    "lrc_plan_create": [_AT, _AT],
    "lrc_plan_destroy": [_AT],
    "lrc_plan_error": [_AT],
    "lrc_plan_add_group": [_AT, _INT],
    "lrc_plan_add_tensor": [_AT, _INT, _INT, _SIZE, _AT, _AT, _AT, _INT],
    "lrc_plan_set_gradient": [_AT, _INT, _AT],
    "lrc_plan_set_average": [_AT, _INT, _AT],
    "lrc_plan_set_hyper": [_AT, _INT, _TEXT, _DOUBLE],
    "lrc_plan_get_hyper": [_AT, _INT, _TEXT, _AT],
    "lrc_plan_set_coef": [_AT, _INT, _TEXT, _DOUBLE],
    "lrc_plan_get_coef": [_AT, _INT, _TEXT, _AT],
    "lrc_plan_set_option": [_AT, _TEXT, _DOUBLE],
    "lrc_plan_get_option": [_AT, _TEXT, _AT],
    "lrc_plan_set_steps": [_AT, ctypes.c_uint64],
    "lrc_plan_steps": [_AT],
    "lrc_plan_prepare": [_AT],
    "lrc_plan_step": [_AT],
    "lrc_plan_measure": [_AT],
    "lrc_plan_norms": [_AT, _INT, _AT],
}
for _name, _result in _RESULTS.items():
    getattr(LIBRARY, _name).restype = _result
for _name, _arguments in _ARGUMENTS.items():
    getattr(LIBRARY, _name).argtypes = _arguments
LIBRARY.lrc_plan_destroy.restype = None


def address(array):
    return None if array is None else array.ctypes.data


class Plan:
    """A plan; its methods are the functions lrc_plan_*, which return what these do."""

    def __init__(self, allocator=None):
        at = _AT()
        self.allocator = allocator
        by = LIBRARY.lrc_heap() if allocator is None else ctypes.pointer(allocator)
        self.created = LIBRARY.lrc_plan_create(
            ctypes.addressof(at), ctypes.cast(by, _AT)
        )
        self.at, self.kept = at.value, []

    def __getattr__(self, name):
        function = getattr(LIBRARY, f"lrc_plan_{name}")
        return lambda *given: function(self.at, *map(converted, given))

    def __del__(self):
        LIBRARY.lrc_plan_destroy(self.at)

    def group(self, rule, **hyper):
        """Add a group of this rule; return its number."""
        group = self.add_group(LIBRARY.lrc_rule_id(rule.encode()))
        assert group >= 0, self.text
        for name, value in hyper.items():
            assert self.set_hyper(group, name, value) == OK, self.text
        return group

    def tensor(self, group, p, g, *states):
        """Add a tensor; return what the function returns."""
        addresses = (_AT * max(len(states), 1))(*map(address, states))
        self.kept += p, g, states
        dtype = {4: 0, 8: 1}[p.itemsize]
        return self.add_tensor(
            group, dtype, p.size, p, g, ctypes.addressof(addresses), len(states)
        )

    def got(self, function, *given):
        """Return the number that a function for getting writes."""
        value = _DOUBLE()
        result = getattr(self, function)(*given, ctypes.addressof(value))
        assert result == OK, self.text
        return value.value

    def all_norms(self, tensor=ALL):
        """Return the norms of a tensor, by name."""
        found = Norms()
        assert self.norms(tensor, ctypes.addressof(found)) == OK, self.text
        return {name: getattr(found, name) for name, _ in Norms._fields_}

    @property
    def text(self):
        """The text of the last error."""
        return self.error().decode()


def converted(value):
    if isinstance(value, str):
        return value.encode()
    return address(value) if isinstance(value, np.ndarray) else value


def states_of(rule, p):
    """New states of a rule, all 0."""
    number = LIBRARY.lrc_rule_n_states(LIBRARY.lrc_rule_id(rule.encode()))
    return [np.zeros_like(p) for _ in range(number)]


def names_of(listed):
    """The names in a list of lrcore.h."""
    return [name.removesuffix(" >= 0") for name in listed.decode().split(", ") if name]


def hypers_of(rule):
    """The names of a rule's hyper-parameters."""
    number, names = LIBRARY.lrc_rule_id(rule.encode()), []
    while name := LIBRARY.lrc_rule_hyper(number, len(names)):
        names.append(name.decode())
    return names


def two_tensors():
    """A plan of two tensors: a group by hyper-parameters, and one by coefficients."""
    plan = Plan()
    plan.p, plan.g = np.ones((2, 4)), np.ones((2, 4))
    plan.states = np.zeros((2, 4)), np.zeros((2, 4))
    assert plan.group("adam") == 0
    assert plan.group("sgd") == 1
    assert plan.set_coef(1, "lr", 0.5) == OK
    m, v = plan.states
    assert plan.tensor(0, plan.p[0], plan.g[0], m[0], v[0]) == 0
    assert plan.tensor(1, plan.p[1], plan.g[1]) == 1
    assert plan.prepare() == OK
    return plan


def contents(plan):
    """What a function that fails must not change, as the plan tells it."""
    options = ("grad_scale", "clip_norm", "num_threads", "zero_grads")
    numbers = [plan.got("get_option", name) for name in options]
    numbers += [plan.got("get_hyper", 0, name) for name in hypers_of("adam")]
    numbers += [
        plan.got("get_coef", 1, name) for name in ("gscale", "lr", "clip_value")
    ]
    arrays = [a.copy() for a in (plan.p, plan.g, *plan.states)]
    return [numbers, plan.steps(), arrays]
