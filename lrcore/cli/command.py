"""The command line: its commands, and `main`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import lrcore
from lrcore._shared import pictures
from lrcore._shared.words import printable
from lrcore.cli.arguments import add_optimizer, picture_path, positive, rate
from lrcore.cli.bench import add_bench
from lrcore.cli.compare import add_compare
from lrcore.cli.completion import add_completion
from lrcore.cli.info import add_info
from lrcore.cli.schedule import add_schedule

_STATUS = """\
exit status:
  0    done
  1    an error, which stderr tells in one line
  2    a wrong command line; stderr has the usage and the error
  130  stopped by Ctrl-C
  141  the program that reads the output, such as `head`, has ended
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    try:
        try:
            arguments = parser().parse_args(argv)
            arguments.run(arguments)
        finally:
            _flush()
    except BrokenPipeError:
        return 141
    except (ImportError, MemoryError, OSError, ValueError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"lrcore: {printable(text)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _flush() -> None:
    """Write what was printed.

    If that fails, the rest is dropped: Python flushes once more when it exits, which
    must not fail, too.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="lrcore",
        description="The learning-rate core for NumPy.  `lrcore COMMAND --help` shows "
        "the options\nof a command.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "-V", "--version", action="version", version=f"lrcore {lrcore.__version__}",
        help="show the version and exit",
    )  # fmt: skip
    commands = made.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands)
    add_schedule(commands)
    add_compare(commands)
    add_bench(commands)
    add_info(commands)
    add_completion(commands, parser)
    made.set_defaults(run=lambda _: made.print_help())
    return made


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="train on handwritten digits, then time the optimizer",
        description="Train a two-layer NumPy network on handwritten digits, then time "
        "the optimizer and the same update in plain NumPy.",
    )
    add_optimizer(parser, list(lrcore.optimizers.available()))
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--lr", type=rate, help="the highest learning rate (default: the optimizer's)"
    )
    which.add_argument(
        "--find", action="store_true", help="find the rate with lr_find, and show how"
    )
    parser.add_argument(
        "--epochs", type=positive, default=30, metavar="N",
        help="passes over the images (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--plot", type=picture_path, metavar="FILE.png", help="draw the run to a file"
    )
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    from lrcore.cli import demo  # here, as its progress bar takes long to import

    if arguments.plot:
        pictures.require()  # now, not after the training
    demo.main(
        arguments.optimizer, arguments.lr, arguments.epochs, arguments.plot,
        arguments.find,
    )  # fmt: skip
