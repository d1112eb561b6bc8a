"""The command line: ``lrcore``, or ``python -m lrcore``."""

from lrcore.cli.command import main as main
