"""FHIRPath text as tokens.

Enters: the text of an expression. Leaves: tokens with kind, text and offset; the last one is "end".
Spec: http://hl7.org/fhirpath/N1/#lexical-elements
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ecluse.core.fhir.fhirpath.failures import FhirPathError

LONGEST_EXPRESSION = 20_000
"""Characters; the longest one of R4 has 2,600."""

_TIME = r"[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_ZONE = r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
_TOKEN = re.compile(
    rf"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<time>@T{_TIME})
    |(?P<dateTime>@[0-9]{{4}}(?:-[0-9]{{2}}(?:-[0-9]{{2}})?)?T(?:{_TIME})?{_ZONE}?)
    |(?P<date>@[0-9]{{4}}(?:-[0-9]{{2}}(?:-[0-9]{{2}})?)?)
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<delimited>`(?:[^`\\]|\\.)*`)
    |(?P<variable>%(?:(?:vs|ext)-[\w.-]+|[A-Za-z_]\w*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|"[^"]*"))
    |(?P<special>\$(?:this|index|total)\b)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark><=|>=|!=|!~|[-+*/&|()\[\]{{}}.,=~<>])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """One word, number, text or mark; text without its quotes and escapes."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """The tokens of an expression.

    Raises: FhirPathError (400) with the place of what is no FHIRPath"""
    if len(text) > LONGEST_EXPRESSION:
        raise FhirPathError(f"An expression has at most {LONGEST_EXPRESSION} characters.")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or not match.lastgroup:
            raise unexpected(text, at)
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, _content(match.lastgroup, match[0]), at))
        at = match.end()
    return [*found, Token("end", "", at)]


def unexpected(text: str, at: int, wanted: str = "") -> FhirPathError:
    """The error that names the place and what stands there."""
    stands = repr(text[at : at + 20]) if at < len(text) else "the end"
    wish = f": {wanted} is expected here" if wanted else " is not understood"
    return FhirPathError(f"{stands} at character {at + 1} of the FHIRPath expression{wish}.", diagnostics=text[:500])


def _content(kind: str, text: str) -> str:
    if kind == "variable":
        text = text[1:]
        kind = "string" if text[0] in "'`\"" else kind
    return unescaped(text[1:-1]) if kind in ("string", "delimited") else text


def unescaped(text: str) -> str:
    r"""Without backslashes: `\'`, `\n`, `\u0041` are the characters that they stand for."""
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _SIMPLE.get(found[2], found[2])
