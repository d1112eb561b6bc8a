"""The learning-rate range test.

`lr_find` runs it, `LRSweep` is its loop, `RangeTest` what it found.  Modules with an
underscore are the room's own: rules and trials read a curve (`_verdict`), `_kept` puts
back what a sweep changes, `_picture` draws.
"""

from lrcore.finder._find import lr_find
from lrcore.finder._result import RangeTest
from lrcore.finder._sweep import LRSweep

__all__ = ["LRSweep", "RangeTest", "lr_find"]
