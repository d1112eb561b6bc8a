from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lrcore._tree import Tree

class Rule(NamedTuple):
    id: int
    states: tuple[str, ...]
    coefs: tuple[str, ...]

class Scale(NamedTuple):
    id: int
    states: tuple[str, ...]
    coefs: tuple[str, ...]
    emits: bool

class Factors(NamedTuple):
    least: bool
    row: Any
    col: Any
    n_rows: int
    n_cols: int
    floor: float

RULES: dict[str, Rule]
SCALES: dict[str, Scale]
STRIP: int
PULLS: frozenset[str]

def isas() -> dict[str, bool]: ...
def isa() -> str: ...
def set_isa(name: str | None) -> bool: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def has_openmp() -> bool: ...
def factor_stats(
    g: Any, factors: Factors, num_threads: int = ..., keep_subnormals: bool = ...
) -> tuple[Any, Any]: ...
def apply(
    part: Any,
    p: Any,
    g: Any,
    arrays: tuple[Any, ...],
    t: int,
    num_threads: int,
    keep_subnormals: bool,
) -> None: ...

class Plan:
    tree: Tree
    groups: tuple[Any, ...]
    t: int
    parallel_from: int
    busy: str | None
    def __init__(
        self,
        tree: Tree,
        groups: tuple[Any, ...],
        parts: tuple[Any, ...],
        part_of: Sequence[int],
        states: Sequence[Mapping[str, Any]],
    ) -> None: ...
    @property
    def total(self) -> int: ...
    def step(self, grads: Any, num_threads: int, keep_subnormals: bool) -> None: ...
