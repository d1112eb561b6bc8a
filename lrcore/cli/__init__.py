"""The command line: ``lrcore``, or ``python -m lrcore``.

``command`` has `main`, ``bench`` and ``demo`` a command each, ``arguments`` what they
have in common.  ``demo`` is an example to copy from, and the examples use it.
"""

from lrcore.cli.command import main as main
