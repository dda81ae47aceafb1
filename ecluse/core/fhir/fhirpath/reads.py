"""Which elements an expression reads.

Enters: the text of an expression. Leaves: the names of the elements of its focus such that its outcome is the same for
all focuses that have none of them.
"""

from __future__ import annotations

from ecluse.core.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Chain,
    Item,
    Literal,
    Member,
    Sign,
    Tree,
    TypeTest,
    Variable,
    parse,
)

_INNER = {"where", "select", "all", "exists", "repeat"}
"""Functions whose arguments are looked at for each item of their input: never when it has none."""
_UNKNOWN = {"iif", "aggregate", "children", "descendants", "resolve", "trace"}
_TYPED = {"is", "as", "ofType"}
_CONSTANTS = {"ucum", "sct", "loinc"}


def names_read(text: str) -> frozenset[str] | None:
    """The names; None when the outcome depends on more: all children, other resources, the type."""
    names: set[str] = set()
    return frozenset(names) if _reads(parse(text), names) else None


def _reads(tree: Tree, names: set[str]) -> bool:
    """Adds the names that a tree reads; False when it reads more than can be named."""
    if isinstance(tree, Member):
        names.add(tree.name)
        return not tree.name[:1].isupper()
    if isinstance(tree, Chain):
        return _reads(tree.left, names) and _arguments(tree.right, names)
    if isinstance(tree, Binary):
        return _reads(tree.left, names) and _reads(tree.right, names)
    if isinstance(tree, Item):
        return _reads(tree.left, names) and _reads(tree.at, names)
    if isinstance(tree, Sign):
        return _reads(tree.operand, names)
    if isinstance(tree, TypeTest):
        return _reads(tree.left, names)
    return isinstance(tree, Literal) or (isinstance(tree, Variable) and tree.name in _CONSTANTS)


def _arguments(right: Member | Call, names: set[str]) -> bool:
    if isinstance(right, Member) or right.name in _TYPED or right.name in _INNER:
        return True
    return right.name not in _UNKNOWN and all(_reads(argument, names) for argument in right.arguments)
