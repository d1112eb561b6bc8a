from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

from lrcore._shared.trees import Tree
from lrcore._shared.types import Array, Measured

class Rule(NamedTuple):
    id: int
    states: tuple[str, ...]
    coefs: tuple[str, ...]
    nonnegative: tuple[str, ...]

class Scale(NamedTuple):
    id: int
    states: tuple[str, ...]
    coefs: tuple[str, ...]
    emits: bool
    nonnegative: tuple[str, ...]

class Gauge(NamedTuple):
    id: int
    arrays: tuple[str, ...]
    n_sum: int
    coefs: tuple[str, ...]

class Tune:
    def __init__(
        self, least: float, decay: float, eps: float, betas: tuple[float, ...]
    ) -> None: ...
    def __call__(
        self, array: Array, sums: tuple[float, ...]
    ) -> tuple[bytes, tuple[float, float, float]]: ...

class Folded:
    coefs: Any
    lr: float
    decay: float
    gscale: float
    l2: float
    weights: Any
    scale: Any
    gauge: Any
    factor: Any
    direct: Any
    tune: Any
    adagc: Any
    clip_value: float
    clip_norm: float
    agc: float
    agc_eps: float
    def __init__(
        self,
        coefs: Any,
        lr: float,
        decay: float,
        gscale: float,
        l2: float,
        *,
        weights: Any = ...,
        scale: Any = ...,
        gauge: Any = ...,
        factor: Any = ...,
        direct: Any = ...,
        tune: Any = ...,
        adagc: Any = ...,
        clip_value: float = ...,
        clip_norm: float = ...,
        agc: float = ...,
        agc_eps: float = ...,
    ) -> None: ...

RULES: dict[str, Rule]
SCALES: dict[str, Scale]
GAUGES: dict[str, Gauge]
SCRATCH: str
MECHANIC: tuple[str, str]
MECHANIC_NUMBERS: str
GATHERED: str
NORM_MEAN: str
LAST_P: str
LAST_G: str
FACTORINGS: dict[str, int]

def address(a: Array) -> int: ...
def extent(a: Array) -> tuple[int, int]: ...
def updatable(arrays: list[Any]) -> bool: ...
def small_states(
    p: Array, wanted: list[tuple[str, float | Literal["p"]]]
) -> dict[str, Array]: ...
def isas() -> dict[str, bool]: ...
def isa() -> str: ...
def set_isa(name: str | None) -> bool: ...
def threadings() -> list[str]: ...
def threading() -> str: ...
def set_threading(name: str | None) -> bool: ...
def threads_refused() -> bool: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def num_threads_set() -> int: ...
def limit_threads(n: int) -> None: ...
def has_openmp() -> bool: ...
def build() -> dict[str, str]: ...

_C_API: object
XLA_STEPS: dict[bytes, tuple[Any, Callable[[int, float | None], Folded], int, bool]]

def xla_address() -> int: ...
def traffic(g: Any, arrays: list[Any], num_threads: int = ...) -> None: ...
def clip(
    arrays: list[Any],
    *,
    write: bool,
    clip_value: float = ...,
    clip_norm: float = ...,
    eps: float = ...,
) -> float: ...
def apply(
    part: Any,
    p: Any,
    g: Any,
    arrays: tuple[Any, ...],
    t: int,
    num_threads: int,
    keep_subnormals: bool,
) -> None: ...

class Scaled:
    def __init__(self, opt: Any, factor: float, skips: bool) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: object, trace: object) -> None: ...

class Lent:
    def __init__(self, opt: Any, name: str | None) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: object, trace: object) -> None: ...

class Ended:
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, error: object, trace: object) -> None: ...

class Plan:
    tree: Tree
    groups: tuple[Any, ...]
    t: int
    gathered: int
    steps: list[int]
    without_gradient: list[int]
    rates: list[float | None]
    more_scale: float
    more_skips: bool
    gathered_scale: float
    gathered_skips: bool
    to_come: set[int]
    applied: bool
    parallel_from: int
    lock: Lock
    ranks: Any
    def __init__(
        self,
        tree: Tree,
        groups: tuple[Any, ...],
        parts: tuple[Any, ...],
        part_of: Sequence[int],
        states: Sequence[Mapping[str, Any]],
        units: Sequence[tuple[int, int, int] | None],
        copies: list[list[Any]] = ...,
        fresh: list[tuple[Any, Any]] = ...,
        lock: Lock | None = ...,
        owned: Sequence[tuple[int, int]] | None = ...,
    ) -> None: ...
    @property
    def spike(self) -> bool: ...
    @property
    def past_norms(self) -> tuple[int, float, float, int] | None: ...
    def place(self, num_threads: int | None = ...) -> None: ...
    @property
    def total(self) -> int: ...
    @property
    def gathered_arrays(self) -> list[Array]: ...
    def step(self, grads: Any, loss: float | None = ...) -> bool: ...
    def flush(self, loss: float | None = ...) -> bool: ...
    def step_one(self, i: int, g: Any) -> bool: ...
    def report_of(
        self, group: int, leaves: Sequence[int] | None
    ) -> tuple[int, float, bool, Measured] | None: ...
    def curvature_of(
        self, leaves: Sequence[int] | None
    ) -> tuple[float, float, float] | None: ...
    def reports_of(
        self, each: list[tuple[int, list[int]]]
    ) -> list[tuple[int, float, bool, Measured] | None]: ...
    def snapshot(
        self, arrays: list[Array], attributes: list[tuple[Any, str]]
    ) -> tuple[list[Array], tuple[Any, ...], list[Any]]: ...
    def copy_out(self, of: list[Array], to: list[Array], changes: int) -> None: ...

class ShardedPlan(Plan):
    def join(self, ranks: Any) -> None: ...

class Exchange:
    others: list[tuple[int, int]]
    some_absent: bool
    def __init__(
        self, kind: type, groups: list[list[Any]], arrays: list[list[Array | None]]
    ) -> None: ...
    def grads(self, groups: list[list[Any]]) -> list[list[Any]] | None: ...

class Lock:
    changes: int
    @property
    def torn(self) -> bool: ...
    @property
    def busy(self) -> str | None: ...
    def check(self) -> None: ...

class Settings:
    def __init__(
        self,
        plan: Plan,
        *,
        num_threads: int,
        keep_subnormals: bool,
        skip_nonfinite: bool,
        zero_grads: bool,
        convert_grads: bool,
        accumulate: int,
        telemetry: bool,
        project: Callable[[Any], Any] | None = ...,
        numbers: tuple[float, float, float] | None = ...,
        scheduled: Callable[[int], tuple[float, float, float]] | None = ...,
        zclip: Any = ...,
    ) -> None: ...

class Counts:
    def __init__(
        self,
        t: int,
        steps: list[int],
        gathered: int = ...,
        gathered_scale: float = ...,
        gathered_skips: bool = ...,
        without_gradient: Iterable[int] = ...,
    ) -> None: ...

class Commit:
    def __init__(self, lock: Lock | None = ..., unchanged: bool = ...) -> None: ...
    def copy(self, to: Array, of: Array) -> None: ...
    def exchange(self, one: Array, other: Array) -> None: ...
    def set(self, obj: Any, name: str, value: Any) -> None: ...
    def call(self, function: Callable[[Any], Any], new: Any, old: Any) -> None: ...
    def keep(self, obj: Any, name: str) -> None: ...
    def give(
        self, plan: Plan, settings: Settings | None = ..., counts: Counts | None = ...
    ) -> None: ...
    def make(self) -> None: ...
