"""FHIRPath as Python closures.

Enters: a syntax tree. Leaves: a function from a scope to a collection. Every function, operator and type is looked up
here, once; what is unknown is refused before anything is evaluated.
Spec: http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from ecluse.core.fhir.fhirpath import syntax
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions import FUNCTIONS
from ecluse.core.fhir.fhirpath.functions.registry import Evaluate, Items, Step, truth, whole
from ecluse.core.fhir.fhirpath.nodes import Node, collect, has_type, is_a, is_type_name, members
from ecluse.core.fhir.fhirpath.operators import OPERATORS, negative
from ecluse.core.fhir.fhirpath.scope import Scope
from ecluse.core.fhir.fhirpath.syntax import Binary, Call, Chain, Item, Literal, Member, Sign, Tree, TypeTest, Variable

_BY_TYPE = ("is", "as", "ofType")


def compiled(tree: Tree) -> Evaluate:
    """The closure of a tree.

    Raises: FhirPathError (400) for a function or type that does not exist, or a wrong number of arguments"""
    evaluate = _compiled(tree)
    return _once(evaluate) if isinstance(tree, (Chain, Item, Binary)) and _is_fixed(tree) else evaluate


def _once(evaluate: Evaluate) -> Evaluate:
    """The same, evaluated once an evaluation: `%resource.code.coding` in a condition on each component."""

    def once(scope: Scope) -> Items:
        known = scope.evaluation.fixed
        found = known.get(evaluate)
        if found is None:
            found = known[evaluate] = evaluate(scope)
        return found

    return once


def _is_fixed(tree: Tree) -> bool:
    """Whether it comes out the same wherever it stands: made of variables and literals, not of `$this`."""
    if isinstance(tree, Chain):
        right = tree.right
        inner = () if isinstance(right, Member) or right.name in _BY_TYPE else right.arguments
        return _is_fixed(tree.left) and all(map(_is_fixed, inner))
    if isinstance(tree, Binary):
        return _is_fixed(tree.left) and _is_fixed(tree.right)
    if isinstance(tree, Item):
        return _is_fixed(tree.left) and _is_fixed(tree.at)
    return isinstance(tree, Literal) or (isinstance(tree, Variable) and not tree.name.startswith("$"))


def _compiled(tree: Tree) -> Evaluate:
    if isinstance(tree, Literal):
        return _constant(tree)
    if isinstance(tree, Chain):
        return _chain(tree)
    if isinstance(tree, Binary):
        return _binary(tree)
    if isinstance(tree, Member):
        return _bare_name(tree.name)
    if isinstance(tree, Call):
        step = _call(tree)
        return lambda scope: step(scope.this, scope)
    if isinstance(tree, Item):
        return _item(tree)
    if isinstance(tree, TypeTest):
        step, left = _of_type(tree.operator, tree.type), compiled(tree.left)
        return lambda scope: step(left(scope), scope)
    return _sign(tree) if isinstance(tree, Sign) else _variable(tree)


def _constant(tree: Literal) -> Evaluate:
    items = list(tree.items)
    return lambda scope: items


def _variable(tree: Variable) -> Evaluate:
    name = tree.name
    if name == "$this":
        return lambda scope: scope.this
    if name == "$index":
        return lambda scope: [scope.index]
    if name == "$total":
        return lambda scope: scope.total
    return lambda scope: scope.evaluation.variable(name)


def _chain(tree: Chain) -> Evaluate:
    left, right = compiled(tree.left), tree.right
    if isinstance(right, Member):
        name = right.name

        def path(scope: Scope) -> Items:
            found: Items = []
            for item in left(scope):
                if type(item) is Node and (wanted := members(item.type).get(name)):
                    collect(item, wanted, found)
            scope.evaluation.spend(len(found))
            return found

        return path
    step = _call(right)
    return lambda scope: step(left(scope), scope)


def _bare_name(name: str) -> Evaluate:
    """A member of `$this`; in capitals also `$this` itself, when it is of that type."""
    may_be_type = name[:1].isupper()

    def path(scope: Scope) -> Items:
        found: Items = []
        for item in scope.this:
            if type(item) is Node:
                if may_be_type and is_a(item.type, name):
                    found.append(item)
                elif wanted := members(item.type).get(name):
                    collect(item, wanted, found)
        return found

    return path


def _call(tree: Call) -> Step:
    if tree.name in _BY_TYPE and len(tree.arguments) == 1:
        return _of_type(tree.name, syntax.type_name(tree.arguments[0]))
    function = FUNCTIONS.get(tree.name)
    if function is None:
        near = get_close_matches(tree.name, [*FUNCTIONS, *_BY_TYPE], 1)
        raise FhirPathError(
            f"FHIRPath has no function {tree.name}()" + (f": did you mean {near[0]}()?" if near else ".")
        )
    if not function.least <= len(tree.arguments) <= function.most:
        number = str(function.least) if function.least == function.most else f"{function.least} to {function.most}"
        raise FhirPathError(f"{tree.name}() takes {number} arguments, not {len(tree.arguments)}.")
    return _counted(function.make(*map(compiled, tree.arguments)))


def _counted(step: Step) -> Step:
    def counted(items: Items, scope: Scope) -> Items:
        scope.evaluation.spend(len(items))
        return step(items, scope)

    return counted


def _of_type(operator: str, name: str) -> Step:
    """`is` of one item; `as` and `ofType` keep the items of the type, however many there are: R4's own invariants and
    search parameters use `as` on several."""
    if not is_type_name(name):
        raise FhirPathError(f"There is no type {name}.")
    space, _, short = name.rpartition(".")
    if operator != "is":
        return lambda items, scope: [item for item in items if has_type(item, space, short)]

    def step(items: Items, scope: Scope) -> Items:
        if len(items) > 1:
            raise FhirPathError(f"is {name} takes a single item, not {len(items)}.")
        return [has_type(item, space, short) for item in items]

    return step


def _item(tree: Item) -> Evaluate:
    left, index = compiled(tree.left), compiled(tree.at)

    def item(scope: Scope) -> Items:
        items, at = left(scope), whole(index(scope), "[ ]")
        return [] if at is None or not 0 <= at < len(items) else [items[at]]

    return item


def _sign(tree: Sign) -> Evaluate:
    operand = compiled(tree.operand)
    return operand if tree.mark == "+" else lambda scope: negative(operand(scope))


def _binary(tree: Binary) -> Evaluate:
    left, right = compiled(tree.left), compiled(tree.right)
    if tree.operator in _LOGIC:
        return _LOGIC[tree.operator](left, right)
    operator = OPERATORS[tree.operator]

    def both(scope: Scope) -> Items:
        one, other = left(scope), right(scope)
        scope.evaluation.spend(len(one) + len(other))
        return operator(one, other)

    return both


def _logic(left_decides: bool, right_decides: bool, decided: bool) -> Callable[[Evaluate, Evaluate], Evaluate]:
    """An operator of three-valued logic: what of the left side decides alone, what of the right side does, and how.
    The right side is not evaluated when the left one decides; when none does, both must be known."""

    def operator(left: Evaluate, right: Evaluate) -> Evaluate:
        def both(scope: Scope) -> Items:
            one = truth(left(scope))
            if one is left_decides:
                return [decided]
            other = truth(right(scope))
            if other is right_decides:
                return [decided]
            return [] if one is None or other is None else [not decided]

        return both

    return operator


_LOGIC = {
    "and": _logic(left_decides=False, right_decides=False, decided=False),
    "or": _logic(left_decides=True, right_decides=True, decided=True),
    "implies": _logic(left_decides=False, right_decides=True, decided=True),
}
