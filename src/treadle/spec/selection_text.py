"""The selection language as text: from a string to syntax, and the errors on that way.

One grammar serves every place where people select things by typing: assets, runs, automations. What differs is which
attributes exist, so a `Grammar` is an argument. The parser knows nothing of assets; `spec.selection` gives the syntax
its meaning. Precedence, from the tightest: parentheses, traversal (`+x`, `x+2`), `not`, `and`, `or`.

Beside it stands the older clause, one name with stars and pluses around it (`*name`, `name++`): in it every `+` is one
level. Ops are selected with clauses alone.

Syntax is made of structs and not of dataclasses, though it stays in memory: eleven dataclasses are 5 ms at import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeAlias

import msgspec

from treadle.errors import SelectionError

ALL: Final = -1
"""The depth of a traversal without limit."""
MAX_DEPTH: Final = 999_999_999
MAX_NESTING: Final = 100


class Attribute(msgspec.Struct, frozen=True):
    """`name:value`, or `name:value=equals`. A value of None is `<null>`."""

    name: str
    value: str | None
    equals: str | None = None


class Everything(msgspec.Struct, frozen=True):
    """`*`"""


class Not(msgspec.Struct, frozen=True):
    """`not x`"""

    child: Syntax


class And(msgspec.Struct, frozen=True):
    """`x and y and ...`"""

    children: tuple[Syntax, ...]


class Or(msgspec.Struct, frozen=True):
    """`x or y or ...`"""

    children: tuple[Syntax, ...]


class Walk(msgspec.Struct, frozen=True):
    """`2+x+`: levels up and down, `ALL` without limit, None where the text has no `+`."""

    child: Syntax
    up: int | None
    down: int | None


class Call(msgspec.Struct, frozen=True):
    """`roots(x)`, `sinks(x)`"""

    function: str
    child: Syntax


Syntax: TypeAlias = Attribute | Everything | Not | And | Or | Walk | Call


class Form(msgspec.Struct, frozen=True):
    """What may follow an attribute's colon.

    Attributes:
        pair: `k=v` is allowed.
        pattern: `*` may stand in a value without quotes.
        null: `<null>`, "has none", is allowed.
        words: the only values, if not empty.
    """

    pair: bool = False
    pattern: bool = False
    null: bool = True
    words: tuple[str, ...] = ()


class Grammar(msgspec.Struct, frozen=True):
    """Which attributes and functions a selection may use."""

    attributes: Mapping[str, Form]
    functions: frozenset[str] = frozenset()


def fail(text: str, at: int, message: str) -> NoReturn:
    """Raise a `SelectionError` that shows the line of `text` around `at` with a caret below the character."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].split("\n", 1)[0].replace("\t", " ")
    raise SelectionError(f"Cannot read this selection: {message}\n  {line}\n  {' ' * (at - start)}^")


def quote(value: str) -> str:
    """`value` in double quotes, as the parser reads it back."""
    return '"' + value.translate(_ESCAPE) + '"'


_ESCAPE = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r"})
_UNESCAPE = {'"': '"', "\\": "\\", "n": "\n", "r": "\r"}
_ESCAPED = re.compile(r"\\(.)")
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<word>[A-Za-z_*][A-Za-z0-9_/*]*)|(?P<number>[0-9]+(?![A-Za-z_/]))|(?P<null><null>)
    |(?P<quoted>"(?:[^"\\\n\r]|\\["\\nr])*")|(?P<symbol>[()+:=])""",
    re.VERBOSE,
)
_OPERATORS = frozenset({"and", "AND", "or", "OR", "not", "NOT"})
_REST_OF_VALUE = re.compile(r"[^\s()\",]+")


class _Token(msgspec.Struct, frozen=True):
    kind: str  # word, number, null, quoted, symbol, bad, end
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    """The tokens of `text`. Ends with `bad` where nothing fits: the parser says more about it than we can here."""
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return [*found, _Token("bad", text[at], at)]
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(_Token(kind, match.group(), at))
        at = match.end()
    return [*found, _Token("end", "", len(text.rstrip()))]


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.tokens = _tokens(text)
        self.position = 0
        self.nesting = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> bool:
        """Step over the token if it is one of these words or symbols."""
        token = self.token
        if token.kind in ("word", "symbol") and token.text in texts:
            self.position += 1
            return True
        return False

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        token = self.token
        if token.kind == "bad" and token.text == '"':
            message = (
                'the quotes that open here are not closed. Close them; inside, write \\" for a quote and \\\\ for a '
                "backslash."
            )
        fail(self.text, token.at if at is None else at, message)

    def whole(self) -> Syntax:
        if self.token.kind == "end":
            self.fail("it is empty. Use `*` to select everything.")
        found = self.disjunction()
        token = self.token
        if token.kind != "end":
            if token.text == ")":
                self.fail("this parenthesis closes nothing. Remove it, or open one before.")
            self.fail("expected `and`, `or` or the end here." + (" Separate with `or`." if token.text == "," else ""))
        return found

    def disjunction(self) -> Syntax:
        return self._joined("or", Or, lambda: self._joined("and", And, self.negation))

    def _joined(self, word: str, kind: type[And] | type[Or], part: Callable[[], Syntax]) -> Syntax:
        children = [part()]
        while self.take(word, word.upper()):
            children.append(part())
        return children[0] if len(children) == 1 else kind(tuple(children))

    def negation(self) -> Syntax:
        count = 0
        while self.take("not", "NOT"):
            count += 1
            if count > MAX_NESTING:
                self.fail(f"more than {MAX_NESTING} times `not`. Simplify it.")
        found = self.walk()
        for _ in range(count):
            found = Not(found)
        return found

    def walk(self) -> Syntax:
        up = self._levels_before()
        child = self.atom()
        down = None
        if self.take("+"):
            down = self._depth() if self.token.kind == "number" else ALL
        if up is None and down is None:
            return child
        self._refuse_another_plus()
        return Walk(child, up, down)

    def _levels_before(self) -> int | None:
        if self.token.kind == "number":
            depth = self._depth()
            if not self.take("+"):
                self.fail("expected `+` after the number of levels, as in `2+key:x`.")
        elif self.take("+"):
            depth = ALL
        else:
            return None
        self._refuse_another_plus()
        return depth

    def _refuse_another_plus(self) -> None:
        if self.token.text == "+":
            self.fail("one `+` is enough: it means all levels. For two levels write `2+x` or `x+2`.")

    def _depth(self) -> int:
        token = self.token
        if len(token.text) > len(str(MAX_DEPTH)):
            self.fail("so many levels cannot be. Write `+` without a number for all levels.")
        self.position += 1
        return int(token.text)

    def atom(self) -> Syntax:
        token = self.token
        if self.take("*"):
            return Everything()
        if self.take("("):
            return self._closed(token)
        if token.kind == "word" and token.text not in _OPERATORS:
            after = self.tokens[self.position + 1]
            if token.text in self.grammar.functions and after.text == "(" and after.kind == "symbol":
                self.position += 2
                return Call(token.text, self._closed(after))
            if after.text == ":" and after.kind == "symbol":
                return self.attribute()
            if token.text in self.grammar.functions:
                self.fail(f"expected `(` after `{token.text}`, as in `{token.text}(*)`.", after.at)
            self._fail_bare_name(token)
        if token.kind == "end":
            self.fail("it ends too early: something to select is missing here.")
        if token.kind == "quoted":
            self._fail_bare_name(token)
        self.fail("expected something to select here, such as `key:x`, `(`, `not` or `*`.")

    def _closed(self, opening: _Token) -> Syntax:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"parentheses are nested more than {MAX_NESTING} deep. Simplify it.", opening.at)
        found = self.disjunction()
        if not self.take(")"):
            if self.token.kind == "end":
                self.fail("the parenthesis that opens here is not closed.", opening.at)
            self.fail("expected `and`, `or` or `)` here.")
        self.nesting -= 1
        return found

    def attribute(self) -> Attribute:
        name = self.token
        form = self.grammar.attributes.get(name.text)
        if form is None:
            known = ", ".join(self.grammar.attributes)
            self.fail(f"there is no attribute `{name.text}`. Attributes are {known}.")
        self.position += 2
        value = self._value(name.text, form)
        equals = None
        if self.token.text == "=" and self.token.kind == "symbol" and value is not None:
            if not form.pair:
                self.fail(f"`{name.text}:` takes one value. Put a value that holds `=` in double quotes.")
            self.position += 1
            equals = self._value(name.text, Form(null=False))
        return Attribute(name.text, value, equals)

    def _value(self, name: str, form: Form) -> str | None:
        token = self.token
        if token.kind == "null":
            if not form.null:
                self.fail(f"`{name}:` needs a value here, `<null>` has no meaning.")
            self.position += 1
            return None
        if token.kind == "quoted":
            value = _ESCAPED.sub(lambda match: _UNESCAPE[match.group(1)], token.text[1:-1])
        elif token.kind == "word":
            value = token.text
            after = self.tokens[self.position + 1]
            if value in _OPERATORS or after.text == ":" or value == "*" or ("*" in value and not form.pattern):
                self._fail_unquoted(token.at)
            if after.kind == "bad" and after.at == token.at + len(value) and after.text not in '",':
                self._fail_unquoted(token.at)
        elif token.kind == "end" or token.text in ("(", ")", "+", "=", '"'):
            self.fail(f"`{name}:` needs a value.")
        else:
            self._fail_unquoted(token.at)
        if form.words and value not in form.words:
            self.fail(f"`{name}:` is one of {', '.join(form.words)}.")
        self.position += 1
        return value

    def _fail_unquoted(self, at: int) -> NoReturn:
        match = _REST_OF_VALUE.match(self.text, at)
        value = match.group() if match else self.text[at]
        fail(self.text, at, f"a value of this kind has to stand in double quotes. Write {quote(value)}.")

    def _fail_bare_name(self, token: _Token) -> NoReturn:
        match = _REST_OF_VALUE.match(self.text, token.at)
        name = token.text if token.kind == "quoted" or match is None else quote(match.group())
        first = next(iter(self.grammar.attributes))
        self.fail(f"a name alone cannot be part of an expression. Say what it is, as in `{first}:{name}`.")


def parse(text: str, grammar: Grammar) -> Syntax:
    """The syntax of `text`.

    Raises:
        SelectionError: it does not follow the grammar; the message shows where.
    """
    return _Parser(text, grammar).whole()


# --- the older clause ----------------------------------------------------------------------------------------------

_CLAUSE = re.compile(r"(?P<up>\*?\+*)(?P<name>(?:[./\w?-]|\[[\w?,-]*\])+)(?P<down>\+*\*?)")


class Clause(msgspec.Struct, frozen=True):
    """`*name`, `name++`: a name, levels up and down of it, `ALL` without limit, None where the text has neither."""

    name: str
    up: int | None
    down: int | None


def parse_clause(text: str) -> Clause | None:
    """The clause that `text` is, None if it is none."""
    match = _CLAUSE.fullmatch(text.strip())
    return None if match is None else Clause(match["name"], _levels(match["up"]), _levels(match["down"]))


def _levels(signs: str) -> int | None:
    return ALL if "*" in signs else len(signs) or None


def split_commas(text: str) -> list[str]:
    """The parts of `text` between commas that are not inside double quotes, without blank ones."""
    parts = re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', text)
    return [part.strip() for part in parts if part.strip()]
