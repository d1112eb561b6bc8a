"""The reference: every rule in plain NumPy, with the kernels' order of operations.

Tests compare the C kernels with these functions by ``==``, in both precisions, for
every instruction set and number of threads.  The functions are the shortest exact
definition of a step; the files in ``src_c/rules/`` give the equations and papers.

The modules are the room's own; all public names are here.  `_rules`, `_scales` and
`_gauges` have a function for each line of the core's registries (``src_c/*.def``), and
`_steps` calls them.  `_stages` has the parts of a step beside its rule, `_sums` and
`_factors` have sums of squares.

A rule takes the coefficients ``c`` that ``rules.def`` names, the gradient ``g`` and its
states, which it updates in place, and returns the direction ``u``.
"""

from lrcore.reference._factors import *
from lrcore.reference._gauges import *
from lrcore.reference._rules import *
from lrcore.reference._scales import *
from lrcore.reference._stages import *
from lrcore.reference._steps import *
from lrcore.reference._sums import *
