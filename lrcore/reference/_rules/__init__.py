"""The rules of rules.def.

A rule takes the coefficients ``c`` that ``rules.def`` names, the gradient ``g`` and its
states, which it updates in place, and returns the direction ``u``.  A rule that has an
argument ``p`` reads the parameters, too.
"""

from lrcore.reference._rules._gradients import *
from lrcore.reference._rules._moments import *
from lrcore.reference._rules._points import *
from lrcore.reference._rules._roots import *
