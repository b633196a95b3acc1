"""`.env` files: `NAME=value` lines, with comments, quotes, `export` and references to other variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?P<bare>[^\n]*?))
    [ \t]*(?:(?:(?<=\s)|(?<=['"]))\#[^\n]*)?$
    """,
    re.VERBOSE | re.MULTILINE,
)
_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that `text` sets. `${NAME}` and `${NAME:-default}` mean `environ` first, then lines above; values
    in single quotes are taken as they are."""
    found: dict[str, str] = {}

    def resolve(value: str) -> str:
        return _REFERENCE.sub(
            lambda match: environ.get(match["name"], found.get(match["name"], match["default"] or "")), value
        )

    for match in _LINE.finditer(text.replace("\r\n", "\n")):
        if match["single"] is not None:
            value = match["single"]
        elif match["double"] is not None:
            value = resolve(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["double"], flags=re.DOTALL))
        else:
            value = resolve(match["bare"])
        found[match["name"]] = value
    return found
