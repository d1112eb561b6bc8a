from collections.abc import Sequence
from typing import Any, NamedTuple

from lrcore._tree import Tree

class Rule(NamedTuple):
    id: int
    states: tuple[str, ...]
    coefs: tuple[str, ...]

RULES: dict[str, Rule]

def isas() -> dict[str, bool]: ...
def isa() -> str: ...
def set_isa(name: str | None) -> bool: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def has_openmp() -> bool: ...
def apply(
    rule: str,
    p: Any,
    g: Any,
    states: tuple[Any, ...],
    folded: tuple[Any, ...],
    t: int,
    num_threads: int,
    keep_subnormals: bool,
) -> None: ...

class Plan:
    tree: Tree
    groups: tuple[Any, ...]
    t: int
    parallel_from: int
    busy: bool
    def __init__(
        self, tree: Tree, groups: tuple[Any, ...], states: Sequence[Sequence[Any]]
    ) -> None: ...
    @property
    def total(self) -> int: ...
    def step(self, grads: Any, num_threads: int, keep_subnormals: bool) -> None: ...
