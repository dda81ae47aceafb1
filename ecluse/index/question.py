"""A search as it was typed → a search as data.

Enters: text. Leaves: a Question, or what to write instead.

    hypertension artérielle     both words, in any order
    "hypertension artérielle"   the words in this order (« » and “ ” too)
    diabète OU diabétique       one of them; OR is the same
    -cancer  -"sans fièvre"     not in the report
    hypert*                     words that begin so, also as the last word in quotation marks
    post-opératoire             what is no letter and no digit parts words that follow each other
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from ecluse.index.protocol import BadQuery
from ecluse.index.words import fold

LONGEST = 1000
MOST_TERMS = 32
SHORTEST_PREFIX = 2
UNSAID = frozenset("le la les un une des du de et ou a au aux en dans par pour sur".split())
"""Words that are not asked for when others are: most reports hold them, and their absence means nothing."""

_QUOTES = str.maketrans("“”„«»", '"""""')
_TOKEN = re.compile(r'\s*(-)?(?:"([^"]*)("?)(\*?)|([^\s"]+))')
_OR = frozenset(("OR", "OU"))
_AND = frozenset(("AND", "ET"))


class Term(NamedTuple):
    """Words that follow each other; prefix: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


_UNSAID = frozenset(Term((word,)) for word in UNSAID)


class Question(NamedTuple):
    """groups: one term of each must be there; excluded: none of these."""

    groups: tuple[tuple[Term, ...], ...] = ()
    excluded: tuple[Term, ...] = ()

    @property
    def terms(self) -> list[Term]:
        """All that is searched for."""
        return [term for group in self.groups for term in group]


class _Token(NamedTuple):
    """A term, or the word OR (no term)."""

    term: Term | None
    excluded: bool = False
    quoted: bool = False


@lru_cache(maxsize=256)
def question(text: str) -> Question:
    """What a text asks for.

    Raises: BadQuery (400) that says what to write instead
    """
    if len(text) > LONGEST:
        raise BadQuery("long", f"The search is too long: at most {LONGEST} characters.")
    tokens = list(_tokens(text.translate(_QUOTES)))
    if len(tokens) > MOST_TERMS:
        raise BadQuery("many", f"The search has too many words: at most {MOST_TERMS}.")
    if text.strip() and not any(token.term for token in tokens):
        raise BadQuery("empty", "The search has no word: write at least one letter or digit.")
    groups = _groups(tokens)
    excluded = tuple(token.term for token in tokens if token.excluded and token.term)
    return Question(tuple(_said(groups)), excluded)


def _tokens(text: str) -> Iterator[_Token]:
    for minus, phrase, close, star, word in _TOKEN.findall(text):
        if word in _OR and not minus:
            yield _Token(None)
        elif word in _AND and not minus:
            continue
        elif word:
            yield from _token(word, bool(minus), False)
        elif not close:
            raise BadQuery("quote", 'A quotation mark is open: close it, as in "hypertension artérielle".')
        else:
            yield from _token(phrase + star, bool(minus), True)


def _token(text: str, excluded: bool, quoted: bool) -> Iterator[_Token]:
    body = text.removesuffix("*")
    prefix = body != text
    words = tuple(fold(body).split())
    if "*" in body or (prefix and not _open_end(body)):
        raise BadQuery("star", "The star stands at the end of a word: hypert*")
    if words and prefix and len(words[-1]) < SHORTEST_PREFIX:
        raise BadQuery("prefix", f"At least {SHORTEST_PREFIX} letters stand before the star: hypert*")
    if words:
        yield _Token(Term(words, prefix), excluded, quoted)


def _open_end(body: str) -> bool:
    return bool(body) and fold(body[-1]).strip() != ""


def _groups(tokens: list[_Token]) -> list[list[_Token]]:
    """What must be there, terms that OR joins together."""
    groups: list[list[_Token]] = []
    joining = joinable = False
    for token in tokens:
        if (token.term is None and not joinable) or (token.excluded and joining):
            raise _bad_or()
        if token.term is None:
            joining, joinable = True, False
        elif token.excluded:
            joinable = False
        elif joining:
            groups[-1].append(token)
            joining, joinable = False, True
        else:
            groups.append([token])
            joinable = True
    if joining:
        raise _bad_or()
    return groups


def _bad_or() -> BadQuery:
    return BadQuery("or", "OR stands between two words: diabète OR diabétique")


def _said(groups: list[list[_Token]]) -> Iterator[tuple[Term, ...]]:
    """The groups without those that say nothing, unless there are no others."""
    told = [group for group in groups if not (len(group) == 1 and _unsaid(group[0]))]
    return (tuple(token.term for token in group if token.term) for group in told or groups)


def _unsaid(token: _Token) -> bool:
    return not token.quoted and token.term is not None and token.term in _UNSAID
