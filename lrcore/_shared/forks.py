"""Forks, as seen by a child process."""

import os
from collections.abc import Callable


def in_children(function: Callable[[], object]) -> None:
    """Have a function called in each child that is forked, where a system can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
