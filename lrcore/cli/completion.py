"""The command ``lrcore completion``: scripts for shells, made by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

SHELLS = ("bash", "zsh", "fish")


def add_completion(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    whole: Callable[[], argparse.ArgumentParser],
) -> None:
    """Add the command ``completion`` to the parser that `whole` makes."""
    parser = commands.add_parser(
        "completion",
        help="print a script with which a shell completes commands",
        description="Print a script with which a shell completes the commands and "
        'options of lrcore.  In bash: eval "$(lrcore completion bash)"; in zsh, '
        "after compinit: source <(lrcore completion zsh); in fish: lrcore completion "
        'fish | source.  It needs shtab: pip install "lrcore[completion]".',
    )
    parser.add_argument(
        "shell", choices=SHELLS, metavar="SHELL", help="one of %(choices)s"
    )
    parser.set_defaults(run=lambda arguments: print(script(whole(), arguments.shell)))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a shell.

    Raises
    ------
    ImportError
        shtab is missing.
    """
    try:
        import shtab
    except ImportError:
        raise ImportError(
            'completion needs shtab: pip install "lrcore[completion]", or shtab itself'
        ) from None
    for action in _actions(parser):
        if str(action.metavar).partition(".")[0] in ("FILE", "OLD"):
            action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab's own
        # Shells show a description beside each choice.
        if isinstance(action, argparse._SubParsersAction):
            for command in action._choices_actions:
                action.choices[command.dest].description = command.help
        elif action.choices:
            action.help = action.dest
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Give the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
