"""Every place of app/ that raises a problem, read from the source without running it.

A code is written where it is raised, or handed on by what is annotated `ProblemCode` or
`FieldCode`: a parameter, a field, a variable, a return value, or an alias of a `Literal` of codes.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODES = {"ProblemCode": "problems", "FieldCode": "fields", "HintCode": "hints"}


@dataclass(frozen=True, slots=True)
class Raised:
    """A code of `part` in `file`; `given` are the names of the values for its text, None where
    these are handed on and stand elsewhere."""

    file: Path
    line: int
    part: str
    code: str
    given: frozenset[str] | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code}"


@dataclass(frozen=True, slots=True)
class _Maker:
    """A function or class with a parameter that is a code."""

    part: str
    code: str
    positional: tuple[str, ...]
    named: frozenset[str]
    by_keyword: bool
    body: ast.FunctionDef | None


class Codes:
    """`raised` are the codes found, `unclear` the places where none can be read."""

    def __init__(self, sources: Mapping[Path, str], known: Mapping[str, Collection[str]]) -> None:
        self.raised: list[Raised] = []
        self.unclear: list[str] = []
        trees = {file: ast.parse(text) for file, text in sources.items()}
        self.parts = CODES | dict(_aliases(trees.values(), known))
        self.makers: dict[tuple[Path | None, str], _Maker] = {}
        self.fields: set[str] = set()
        self.returning: dict[str, str] = {}
        for file, tree in trees.items():
            self._declare(file, tree)
        for file, tree in trees.items():
            _Module(self, file, tree)

    def part_of(self, annotation: ast.expr | None) -> str | None:
        """problems or fields, where the annotation names a code."""
        if annotation is None:
            return None
        names = (each.id for each in ast.walk(annotation) if isinstance(each, ast.Name))
        found = [self.parts[name] for name in names if name in self.parts]
        return found[-1] if found else None  # of a mapping what it maps to

    def maker_of(self, file: Path, call: ast.Call) -> _Maker | None:
        name = _called(call)
        return self.makers.get((file if name.startswith("_") else None, name))

    def _declare(self, file: Path, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self._declare_class(file, node)
            elif isinstance(node, ast.FunctionDef):
                method = bool(node.args.args) and node.args.args[0].arg == "self"
                if part := self.part_of(node.returns):
                    self.returning[node.name] = part
                if node.name != "__init__":
                    self._add(file, f"self.{node.name}" if method else node.name, node.args, node)

    def _declare_class(self, file: Path, node: ast.ClassDef) -> None:
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        own = [each for each in ast.walk(node) if isinstance(each, ast.AnnAssign)]
        self.fields |= {_last(each.target) for each in own if self.part_of(each.annotation)}
        for each in ast.walk(node):
            if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                self._add(file, node.name, each.args)
                return
        arguments = [ast.arg(_last(each.target), each.annotation) for each in fields]
        self._add(file, node.name, ast.arguments([], arguments, None, [], [], None, []))

    def _add(
        self,
        file: Path,
        name: str,
        arguments: ast.arguments,
        body: ast.FunctionDef | None = None,
    ) -> None:
        positional = [each for each in arguments.args if each.arg != "self"]
        every = [*positional, *arguments.kwonlyargs]
        key = (file if name.startswith("_") else None, name)
        for each in every:
            part = self.part_of(each.annotation)
            # A code itself or none; a mapping of codes is no code.
            if part and each.annotation and not _holds_subscript(each.annotation):
                self.makers[key] = _Maker(
                    part,
                    each.arg,
                    tuple(a.arg for a in positional),
                    frozenset(a.arg for a in every) - {"params"},
                    arguments.kwarg is not None,
                    body,
                )
                return


class _Module:
    """What one file raises."""

    def __init__(self, codes: Codes, file: Path, tree: ast.Module) -> None:
        self.codes = codes
        self.file = file
        self.names: dict[str, str] = {}
        self.values: dict[str, ast.expr] = {}
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._name(node)
        for node in nodes:
            self._read(node)

    def _name(self, node: ast.AST) -> None:
        """Names that hold codes: by their annotation, or by what they are taken from."""
        match node:
            case ast.arg(arg=name, annotation=annotation) if part := self.codes.part_of(annotation):
                self.names[name] = part
            case ast.AnnAssign(target=target, annotation=annotation):
                if part := self.codes.part_of(annotation):
                    self.names[_last(target)] = part
            case ast.comprehension(target=target, iter=iterated):
                names = {_last(each) for each in ast.walk(iterated)} & self.names.keys()
                self.names |= {
                    _last(each): self.names[n] for each in ast.walk(target) for n in names
                }
            case ast.NamedExpr(target=target, value=ast.Call() as call):
                if part := self.codes.returning.get(_last(call.func)):
                    self.names[target.id] = part
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.values[name] = value
                if isinstance(value, ast.Call) and _last(value.func) in self.codes.returning:
                    self.names[name] = self.codes.returning[_last(value.func)]
            case _:
                pass

    def _read(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                if maker := self.codes.maker_of(self.file, node):
                    self._read_call(node, maker)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._read_values(self.names.get(_last(target)), value)
            case ast.AugAssign(target=target, value=value):
                self._read_values(self.names.get(_last(target)), value)
            case ast.Assign(targets=[ast.Subscript(value=target)], value=value):
                self._read_values(self.names.get(_last(target)), value)
            case ast.FunctionDef(returns=ast.expr() as annotation):
                part = self.codes.part_of(annotation)
                for each in ast.walk(node) if part else ():
                    if isinstance(each, ast.Return) and each.value is not None:
                        self._read_values(part, each.value)
            case ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError"), args=[code])):
                self._read_validator(code)
            case _:
                pass

    def _read_call(self, call: ast.Call, maker: _Maker) -> None:
        code = _argument(call, maker, maker.code)
        if code is None:
            return
        given = self._given(call, maker)
        for each in _alternatives(code):
            if isinstance(each, ast.Constant):
                self._add(each, maker.part, given)
            elif not self._is_code(each):
                self.codes.unclear.append(f"{self.file}:{call.lineno}: {ast.unparse(call)}")

    def _read_values(self, part: str | None, value: ast.expr) -> None:
        """Codes that a name is given, or a function returns: one, or some in a list or mapping."""
        if part is None:
            return
        match value:
            case ast.Dict(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
                for each in values:
                    self._read_values(part, each)
            case ast.DictComp(value=each) | ast.ListComp(elt=each):
                self._read_values(part, each)
            case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[_, each]):
                self._read_values(part, each)
            case ast.BinOp(left=left, right=right):
                self._read_values(part, left)
                self._read_values(part, right)
            case _:
                for each in _alternatives(value):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        self._add(each, part, None)

    def _read_validator(self, code: ast.expr) -> None:
        """A validator of a model raises ValueError(code); its text may say the form of a date."""
        if self.file.parts[1] not in ("models", "api"):
            return
        for each in _alternatives(code):
            if isinstance(each, ast.Constant):
                self._add(each, "fields", frozenset({"form"}))

    def _add(self, code: ast.Constant, part: str, given: frozenset[str] | None) -> None:
        self.codes.raised.append(Raised(self.file, code.lineno, part, str(code.value), given))

    def _is_code(self, value: ast.expr) -> bool:
        match value:
            case ast.Attribute(attr=name):
                return name in self.codes.fields
            case ast.Call(func=function):
                return _last(function) in self.codes.returning or _last(function) == "get"
            case ast.Subscript(slice=ast.Constant(value=key)):
                return key == "code"  # of a row's problem, as it was stored
            case _:
                return _last(value) in self.names

    def _given(self, call: ast.Call, maker: _Maker) -> frozenset[str] | None:
        keywords = {each.arg for each in call.keywords}
        if maker.by_keyword:
            if None in keywords:
                return None
            return frozenset(each for each in keywords if each and each not in maker.named)
        if "params" not in maker.positional:
            return self._handed_on(maker)
        params = _argument(call, maker, "params")
        if params is None:
            return frozenset()
        if isinstance(params, ast.Name):
            params = self.values.get(params.id, params)
        if not isinstance(params, ast.Dict):
            return None
        return frozenset(str(each.value) for each in params.keys if isinstance(each, ast.Constant))

    def _handed_on(self, maker: _Maker) -> frozenset[str] | None:
        """The values that a function of this file gives with the code it was given."""
        for each in ast.walk(maker.body) if maker.body else ():
            if isinstance(each, ast.Call) and (inner := self.codes.maker_of(self.file, each)):
                code = _argument(each, inner, inner.code)
                if code is not None and _last(code) == maker.code:
                    return self._given(each, inner)
        return None


def _argument(call: ast.Call, maker: _Maker, name: str) -> ast.expr | None:
    for each in call.keywords:
        if each.arg == name:
            return each.value
    place = maker.positional.index(name) if name in maker.positional else len(call.args)
    return call.args[place] if place < len(call.args) else None


def _alternatives(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.IfExp):
        yield from _alternatives(value.body)
        yield from _alternatives(value.orelse)
    else:
        yield value


def _holds_subscript(annotation: ast.expr) -> bool:
    return any(isinstance(each, ast.Subscript) for each in ast.walk(annotation))


def _called(call: ast.Call) -> str:
    of_self = isinstance(call.func, ast.Attribute) and _last(call.func.value) == "self"
    return f"self.{_last(call.func)}" if of_self else _last(call.func)


def _last(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _aliases(
    trees: Iterable[ast.Module], known: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str]]:
    """`Fault = Literal["code_expired", ...]`, where all of them are codes."""
    for tree in trees:
        for node in tree.body:
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Subscript(value=ast.Name(id="Literal"), slice=listed),
                ):
                    values = {
                        each.value for each in ast.walk(listed) if isinstance(each, ast.Constant)
                    }
                    yield from ((name, part) for part, codes in known.items() if values <= {*codes})
                case _:
                    pass


def codes_of_app(known: Mapping[str, Collection[str]]) -> Codes:
    """`known`: the codes that have texts, by part."""
    files = sorted((ROOT / "app").rglob("*.py"))
    return Codes({file.relative_to(ROOT): file.read_text("utf-8") for file in files}, known)
