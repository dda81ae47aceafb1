"""What an expression asks of the world around it, by its text alone.

Enters: a syntax tree. Leaves: the functions that it calls and the variables that it names, so that what cannot be
answered where it will be evaluated is refused before.
Spec: http://hl7.org/fhirpath/N1/#functions, http://hl7.org/fhirpath/N1/#environment-variables
"""

from __future__ import annotations

from collections.abc import Iterator

from ecluse.core.fhir.fhirpath.syntax import Call, Chain, Tree, TypeTest, Variable


def parts(tree: Tree) -> Iterator[Tree]:
    """The trees right below one."""
    for field in tree:
        for one in field if isinstance(field, tuple) and not hasattr(field, "_fields") else (field,):
            if hasattr(one, "_fields"):
                yield one


def functions(tree: Tree) -> set[str]:
    """The functions that are called; a type test of what a reference leads to asks nothing of the other resource."""
    found = {tree.name} if isinstance(tree, Call) else set()
    if isinstance(tree, TypeTest) and isinstance(tree.left, (Call, Chain)):
        inner = tree.left if isinstance(tree.left, Call) else tree.left.right
        if isinstance(inner, Call) and inner.name == "resolve":
            return functions(tree.left.left) if isinstance(tree.left, Chain) else set()
    return found.union(*(functions(part) for part in parts(tree)))


def variables(tree: Tree) -> set[str]:
    """The names of the variables, without %."""
    found = {tree.name} if isinstance(tree, Variable) and not tree.name.startswith("$") else set()
    return found.union(*(variables(part) for part in parts(tree)))
