"""Finds the error codes and counters in the source of lisa_ros, without running it."""

from __future__ import annotations

import ast
import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import lisa_ros

FOLDER = Path(__file__).resolve().parents[2] / "lisa_ros"
# Codes that are handed on from where they were made.
HANDED_ON = {"code", "reason"}


@dataclass(frozen=True)
class Place:
    """A call or an assignment, and the functions around it, the innermost last."""

    module: str
    node: Any
    functions: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.module}:{self.node.lineno}"


@cache
def places() -> tuple[Place, ...]:
    """All calls and assignments of the package."""
    assert lisa_ros.__path__
    found: list[Place] = []

    def walk(module: str, node: ast.AST, functions: tuple[Any, ...]) -> None:
        if isinstance(node, ast.Call | ast.Assign):
            found.append(Place(module, node, functions))
        inside = functions
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = (*functions, node)
        for child in ast.iter_child_nodes(node):
            walk(module, child, inside)

    for path in sorted(FOLDER.rglob("*.py")):
        inner = path.relative_to(FOLDER).with_suffix("").parts
        name = ".".join(("lisa_ros", *(part for part in inner if part != "__init__")))
        walk(name, ast.parse(path.read_text(encoding="utf-8")), ())
    return tuple(found)


def callee(node: Any) -> str:
    """The last part of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def error_codes() -> dict[str, list[str]]:
    """Every code that an error is made with, that is counted, or put into a result; and where."""
    return _collect(_code_of)


def counters() -> dict[str, list[str]]:
    """Every counter of something ordinary, and where it is counted."""

    def counter(node: Any) -> ast.expr | None:
        if isinstance(node, ast.Call) and callee(node) == "count":
            receiver = getattr(node.func, "value", None)
            if getattr(receiver, "attr", getattr(receiver, "id", "")).endswith("diagnostics"):
                return node.args[0]
        return None

    return _collect(counter)


def _collect(pick: Callable[[Any], ast.expr | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in places():
        expression = pick(place.node)
        if expression is not None:
            for code in values(expression, place):
                found.setdefault(code, []).append(str(place))
    return found


def _code_of(node: Any) -> ast.expr | None:
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        named = isinstance(target, ast.Attribute) and target.attr == "error_code"
        return node.value if named else None
    if callee(node) == "count_refused":
        return node.args[0]
    given = {one.arg: one.value for one in node.keywords}
    return given.get("code") if callee(node).endswith("Error") else given.get("error_code")


def values(expression: ast.expr, place: Place) -> set[str]:
    """All strings that an expression can be.

    Raises:
        AssertionError: that cannot be told.
    """
    if isinstance(expression, ast.Constant):
        return {str(expression.value)}
    if isinstance(expression, ast.FormattedValue):
        return values(expression.value, place)
    if isinstance(expression, ast.JoinedStr):
        parts = [sorted(values(part, place)) for part in expression.values]
        return {"".join(chosen) for chosen in itertools.product(*parts)}
    if isinstance(expression, ast.Attribute):
        if expression.attr in HANDED_ON:
            return set()
        return _field(expression.attr, place)
    if isinstance(expression, ast.Name):
        for function in reversed(place.functions):
            found = _variable(expression.id, function, place)
            if found is not None:
                return found
        value = getattr(importlib.import_module(place.module), expression.id)
        assert isinstance(value, str), f"{place}: {expression.id} is no string"
        return {value}
    raise AssertionError(f"{place}: cannot tell what {ast.unparse(expression)} is")


def _variable(name: str, function: Any, place: Place) -> set[str] | None:
    """The values of a function's parameter or local variable; None when it has none such."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    for position, argument in enumerate(named):
        if argument.arg == name:
            chosen = _literal(argument.annotation, place.module)
            return chosen or _from_callers(function.name, name, position)
    assigned = [
        one.node.value
        for one in places()
        if isinstance(one.node, ast.Assign)
        and function in one.functions
        and getattr(one.node.targets[0], "id", "") == name
    ]
    if not assigned:
        return None
    return set().union(*(values(value, place) for value in assigned))


def _from_callers(function: str, name: str, position: int) -> set[str]:
    found: set[str] = set()
    for caller in places():
        if isinstance(caller.node, ast.Call) and callee(caller.node) == function:
            given = {one.arg: one.value for one in caller.node.keywords}
            found |= values(given.get(name) or caller.node.args[position], caller)
    assert found, f"nobody calls {function}"
    return found


def _field(name: str, place: Place) -> set[str]:
    """The values of a field, by the class of this module that declares it."""
    tree = ast.parse((FOLDER / f"{place.module.split('.', 1)[1]}.py").read_text(encoding="utf-8"))
    for node in _annotated(tree):
        if getattr(node.target, "id", "") == name:
            chosen = _literal(node.annotation, place.module)
            if chosen:
                return chosen
    raise AssertionError(f"{place}: cannot tell what .{name} is")


def _annotated(tree: ast.AST) -> Iterator[ast.AnnAssign]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign))


def _literal(annotation: ast.expr | None, module: str) -> set[str]:
    """The strings of a Literal; empty for any other type."""
    if isinstance(annotation, ast.BinOp):
        return _literal(annotation.left, module) | _literal(annotation.right, module)
    if not isinstance(annotation, ast.Name):
        return set()
    kind = getattr(importlib.import_module(module), annotation.id, None)
    return set(get_args(kind)) if get_origin(kind) is Literal else set()
