"""A schedule from text, as a command line or a settings file has it."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from lrcore._shared.named import picked
from lrcore._shared.words import shortened, shown
from lrcore.schedules._keywords import check_keywords
from lrcore.schedules._make import make
from lrcore.schedules._schedule import Schedule
from lrcore.schedules.compose import join

__all__ = ["parse"]

_MOST = 10_000
"""Characters of a text."""

_DEEPEST = 200
"""Levels of Python's syntax tree: repr and other functions of schedules recurse."""

_METHODS = ("clamp", "momentum", "per_epoch", "scale", "then", "warmup")

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: lambda x: x,
    ast.USub: operator.neg,
}


def parse(schedule: str) -> Schedule:
    """Return the schedule that a text in Python's words describes.

    The text is not run: it is read as names and methods of schedules, their arguments,
    numbers, strings, lists and tuples, and the operators ``+ - * /``.  All else is
    refused, so that the text may come from anybody.

    Parameters
    ----------
    schedule : str
        At most 10,000 characters, such as ``"Cosine(0.1, total=900).warmup(100)"`` or
        what `repr` gives of a schedule without functions: classes of this module,
        `make` and `join`; the methods ``warmup``, ``then``, ``scale``, ``clamp``,
        ``per_epoch``, and ``momentum`` of `OneCycle`.  A number is a `Constant`.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        It is no str (TypeError), or describes no schedule; the message names the
        column, from 1.

    Examples
    --------
    >>> parse("Cosine(0.1, total=900).warmup(100)")
    Warmup(steps=100, after=Cosine(base=0.1, total=900))
    >>> parse("0.5 * Constant(0.1)")(0)
    0.05
    >>> parse("Cosine(0.1, total=-1)")
    Traceback (most recent call last):
        ...
    ValueError: schedule, column 19: total: expected a number of steps, an int >= 0, \
found -1
    """
    if not isinstance(schedule, str):
        raise TypeError(f"schedule: expected a str, found {shown(schedule)}")
    if len(schedule) > _MOST:
        raise ValueError(
            f"schedule: expected at most {_MOST:,} characters, found {len(schedule):,}"
        )
    return _Reader(" ".join(schedule.splitlines())).schedule()


class _Refused(Exception):  # noqa: N818 # `parse` makes a ValueError of it
    """What is wrong, and where it begins, in bytes."""

    def __init__(self, node: ast.expr, text: str, begin: int | None = None) -> None:
        super().__init__(text)
        self.begin = node.col_offset if begin is None else begin


class _Reader:
    """Evaluates a text, which is in one line."""

    def __init__(self, text: str) -> None:
        self.text = text.lstrip()
        self.indent = len(text) - len(self.text)

    def schedule(self) -> Schedule:
        try:
            tree = self.parsed()
            if _depth(tree) > _DEEPEST:
                raise _Refused(tree, "expected fewer calls and brackets in each other")
            value = self.value(tree)
            if _is_number(value):
                value = self.called(tree, Schedule._known["Constant"], [tree], {})
            if not isinstance(value, Schedule):
                raise _Refused(tree, f"expected a schedule, found {shown(value)}")
        except _Refused as refused:
            before = self.text.encode()[: refused.begin]
            raise self.error(len(before.decode()) + 1, str(refused)) from None
        return value

    def parsed(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of "1if", "\d" and the like
                return ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError) as error:  # the latter for a null byte
            column, text = getattr(error, "offset", 1), getattr(error, "msg", error)
            wanted = "expected a schedule such as Cosine(0.1, total=1000)"
            raise self.error(column or 1, f"{wanted}; {text}") from None
        except (RecursionError, MemoryError):
            raise self.error(1, "expected fewer brackets in each other") from None

    def error(self, column: int, text: str) -> ValueError:
        column = min(column, len(self.text) + 1) + self.indent
        return ValueError(f"schedule, column {column}: {text}")

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                if isinstance(value, (int, float, str)) or value is None:
                    return value
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return tuple(map(self.value, parts))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return self.applied(node, _UNARY[type(op)], operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self.applied(node, _BINARY[type(op)], left, right)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                made = self.picked(node.func, name, _known())
                return self.called(node, made, args, self.named(node, keywords))
            case ast.Call(func=ast.Attribute(value=of, attr=name)):
                return self.called(
                    node, self.method(node.func, of, name), node.args,
                    self.named(node, node.keywords),
                )  # fmt: skip
            case ast.Name(id=name):
                self.picked(node, name, _known())
                raise _Refused(node, f"expected {name}(...), found {name} alone")
        found = shortened(ast.unparse(node))
        raise _Refused(
            node, f"expected a schedule, number, string or list, found {found}"
        )

    def applied(
        self, node: ast.expr, operation: Callable[..., Any], *operands: ast.expr
    ) -> Any:
        values = [self.value(operand) for operand in operands]
        for operand, value in zip(operands, values, strict=True):
            if not (_is_number(value) or isinstance(value, Schedule)):
                raise _Refused(
                    operand, f"expected a schedule or a number, found {shown(value)}"
                )
        try:
            return operation(*values)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise _Refused(node, f"{error}, in {self.quoted(node)}") from None

    def method(self, node: ast.expr, of: ast.expr, name: str) -> Callable[..., Any]:
        value = self.value(of)
        if not isinstance(value, Schedule):
            raise _Refused(
                of, f"expected a schedule before .{name}, found {shown(value)}"
            )
        methods = {m: getattr(value, m) for m in _METHODS if hasattr(value, m)}
        method: Callable[..., Any] = self.picked(node, name, methods)
        return method

    def check_keywords(
        self,
        what: str,
        given: Mapping[str, ast.expr],
        parameters: Mapping[str, Parameter],
    ) -> None:
        """Refuse an unknown name before bind() asks for the one that it stands for."""
        for name, node in given.items():
            try:
                check_keywords(what, [name], parameters)
            except TypeError as error:
                raise _Refused(node, str(error)) from None

    def picked(self, node: ast.expr, name: str, things: Mapping[str, Any]) -> Any:
        try:
            return picked("name", name, things)
        except ValueError as error:  # the name is the end of its expression
            begin = (node.end_col_offset or 0) - len(name.encode())
            raise _Refused(node, str(error), begin) from None

    def named(self, node: ast.expr, keywords: list[ast.keyword]) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise _Refused(keyword.value, "expected name=value, found **")
            if keyword.arg in found:
                text = f"{keyword.arg}: expected once, found twice"
                raise _Refused(keyword.value, text)
            found[keyword.arg] = keyword.value
        return found

    def called(
        self,
        node: ast.expr,
        function: Callable[..., Any],
        args: list[ast.expr],
        keywords: dict[str, ast.expr],
    ) -> Schedule:
        """Return the result of a call; an error is where the wrong argument stands."""
        given = [self.value(arg) for arg in args]
        named = {name: self.value(arg) for name, arg in keywords.items()}
        places: dict[str, Any] = {}
        has = signature(function)
        self.check_keywords(function.__name__, keywords, has.parameters)
        try:
            places |= has.bind(*args, **keywords).arguments
            schedule: Schedule = function(*given, **named)
        except (ArithmeticError, TypeError, ValueError) as error:
            about = str(error).partition(":")[0].partition("[")[0]
            place = {**places, **keywords}.get(about)
            if isinstance(place, ast.expr):
                raise _Refused(place, str(error)) from None
            raise _Refused(node, f"{error}, in {self.quoted(node)}") from None
        return schedule

    def quoted(self, node: ast.expr) -> str:
        return shortened(ast.get_source_segment(self.text, node) or "")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known() -> dict[str, Callable[..., Any]]:
    """Return what a text may call: this package's schedules, but no functions."""
    known = {n: made for n, made in Schedule._known.items() if "." not in n}
    del known["Function"]
    return {**known, "join": join, "make": make}


def _depth(tree: ast.AST) -> int:
    """Return the number of levels of a syntax tree."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
