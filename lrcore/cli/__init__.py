"""The command line: ``lrcore``, or ``python -m lrcore``.

``command`` has `main`, ``bench`` and ``demo`` have a command each, and ``arguments``
has shared arguments.  ``demo`` is an example to copy from, and the examples import it.
"""

from lrcore.cli.command import main as main
