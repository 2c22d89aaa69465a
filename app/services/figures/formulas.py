"""The language of formulas: sums, ratios and conditions over figures, in exact decimals.

Names of figures, numbers, + - * /, comparisons, `and`, `or`, `not`, `x if condition else y`, `null`,
and min, max, round. What is not known stays unknown: a figure that is null makes the result null,
and so does a division by zero. Nothing else of Python is understood.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Value = Decimal | bool | None
_MOST = 500

_OPERATORS: Final[Mapping[type[ast.AST], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other if other else None,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: Final[Mapping[str, tuple[range, Callable[..., Any]]]] = {
    "min": (range(2, 9), min),
    "max": (range(2, 9), max),
    "round": (range(1, 2), lambda value: value.quantize(Decimal(1))),
}
_NULL = "null"


class BadFormula(ValueError):
    """What is not in the language."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that has been checked, and the figures it names."""

    text: str
    names: frozenset[str]
    _tree: ast.expr

    def value(self, of: Mapping[str, Decimal | None]) -> Decimal | None:
        """The result for these figures; a condition alone is 1 or 0."""
        found = _value(self._tree, of)
        return Decimal(found) if isinstance(found, bool) else found


def parse(text: str) -> Formula:
    """`BadFormula` says what is not understood."""
    tree = _parsed(text)
    return Formula(text, frozenset(_check(tree)), tree)


def _parsed(text: str) -> ast.expr:
    if len(text) > _MOST:
        raise BadFormula(f"longer than {_MOST} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BadFormula(f"{text!r} is no formula") from error


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two formulas, and what one has to be to the other: `<=`, `>=` or `==`."""

    left: Formula
    right: Formula
    _op: type[ast.cmpop]

    @property
    def names(self) -> frozenset[str]:
        return self.left.names | self.right.names

    def holds(self, left: Decimal, right: Decimal, tolerance: Decimal) -> bool:
        """For these values of both; they may be off by the tolerance."""
        over = left - right
        if self._op is ast.LtE:
            return over <= tolerance
        return over >= -tolerance if self._op is ast.GtE else abs(over) <= tolerance


def parse_comparison(text: str) -> Comparison:
    """`BadFormula` says what is not understood."""
    match _parsed(text):
        case ast.Compare(
            left=left, ops=[(ast.LtE() | ast.GtE() | ast.Eq()) as op], comparators=[right]
        ):
            return Comparison(parse(ast.unparse(left)), parse(ast.unparse(right)), type(op))
        case _:
            raise BadFormula(f"{text!r} does not compare by <=, >= or ==")


def _check(node: ast.expr) -> Iterator[str]:
    """The names of figures in it."""
    match node:
        case ast.Constant(value=bool()):
            raise BadFormula("true and false are no numbers")
        case ast.Constant(value=int() | float()):
            return
        case ast.Name() | ast.Attribute():
            if (name := _name(node)) != _NULL:
                yield name
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            parts = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            parts = [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            parts = [operand]
        case ast.BoolOp(values=values):
            parts = values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            parts = [test, body, orelse]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            if len(args) not in _FUNCTIONS[name][0]:
                raise BadFormula(f"{name} takes another number of values")
            parts = args
        case _:
            raise BadFormula(f"{ast.unparse(node)!r} is not understood")
    for part in parts:
        yield from _check(part)


def _name(node: ast.expr) -> str:
    """`members.total` is an attribute to Python and a name here."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    raise BadFormula(f"{ast.unparse(node)!r} is not understood")


def _value(node: ast.expr, of: Mapping[str, Decimal | None]) -> Value:
    match node:
        case ast.Constant(value=number):
            return Decimal(str(number))
        case ast.BinOp(left=left, op=op, right=right):
            return _applied(op, _value(left, of), _value(right, of))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _applied(op, _value(left, of), _value(right, of))
        case ast.UnaryOp(op=op, operand=operand):
            return _turned(op, _value(operand, of))
        case ast.BoolOp(op=op, values=values):
            return _joined(op, [_value(each, of) for each in values])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            decided = _value(test, of)
            return None if decided is None else _value(body if decided else orelse, of)
        case ast.Call(func=ast.Name(id=name), args=args):
            given = [_value(each, of) for each in args]
            result: Value = None if None in given else _FUNCTIONS[name][1](*given)
            return result
        case _:
            name = _name(node)
            return None if name == _NULL else of[name]


def _applied(op: ast.AST, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    result: Value = _OPERATORS[type(op)](left, right)
    return result


def _turned(op: ast.unaryop, value: Value) -> Value:
    if value is None:
        return None
    return (not value) if isinstance(op, ast.Not) else -Decimal(value)


def _joined(op: ast.boolop, values: list[Value]) -> Value:
    """As in SQL: unknown, unless the others decide it."""
    deciding = isinstance(op, ast.Or)
    if any(value is not None and bool(value) is deciding for value in values):
        return deciding
    return None if None in values else not deciding
