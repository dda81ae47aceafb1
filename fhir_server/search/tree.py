"""Conditions of a search as SQL: whether they hold for a resource, and where the resources stand for which they do.

Enters: conditions (`query.py`) and the place in a statement where a resource stands. Leaves: text, and arguments added
to the statement's. What a client wrote is only ever in the arguments; numbers of sites, types and paths are our own and
stand in the text, where the planner sees them.

Every condition has two forms. `holds` is asked of one resource: EXISTS over the rows of its key. `sources` begins a
statement at the rows themselves: FROM and WHERE, with the key of a match in `<alias>.pk`, perhaps more than once.

A page is `probed`: what comes first was decided by counting, and PostgreSQL is kept from making joins of the probes and
beginning elsewhere. Where all matches are wanted, it may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from ecluse.core.fhir.types import number_of
from fhir_server.search import canonicals, conditions, grams, starts
from fhir_server.search.conditions import Arguments
from fhir_server.search.place import Place
from fhir_server.search.query import (
    Addressed,
    Addressing,
    AllOf,
    AnyOf,
    Clause,
    Condition,
    Joined,
    Linked,
    Linking,
    Missing,
    Not,
)
from mappers.search import reference
from mappers.search.question import Address, Identified, Target, Token, Value

OF_RESOURCE = ("_id", "_lastUpdated")
PATIENT = "Patient"
BESIDE: dict[str, tuple[str, ...]] = {"token": ("string",), "reference": ("token",)}
"""Where else a value of a kind may have its only row: a concept that is nothing but text, a reference by identifier."""


WORTH = 98
"""Groups less likely than this to leave few can only be asked of a resource at hand."""
FEW = 500
"""Amounts that lead a statement of which they are one of several conditions."""


class Tree:
    """The conditions of one statement on one site, while it is built. probed: whether each is asked of one resource
    after another"""

    def __init__(self, site: int, arguments: Arguments, *, probed: bool = False) -> None:
        self.site = site
        self.arguments = arguments
        self._fence = " OFFSET 0" if probed else ""  # PostgreSQL makes no join of a subquery with OFFSET
        self._aliases = (f"t{number}" for number in count(1))

    def resources(self, alias: str, kind: str) -> str:
        """The condition that a row of `fhir.resource` is one of this site and type."""
        return f"{alias}.site = {self.site} AND {alias}.type = {number_of[kind]}"

    def alias(self) -> str:
        """A name that no other row of the statement has."""
        return next(self._aliases)

    # Whether conditions hold for a resource

    def all_hold(self, conditions: Iterable[Condition], at: Place) -> list[str]:
        """One text for each group of conditions that the same row answers."""
        return [self.group_holds(group, at) for group in groups(conditions)]

    def group_holds(self, group: Sequence[Condition], at: Place) -> str:
        """Whether the clauses of a group hold, or its one condition of another kind."""
        clauses = [one for one in group if isinstance(one, Clause)]
        return self._rows_hold(clauses, at) if clauses else self.holds(group[0], at)

    def holds(self, condition: Condition, at: Place) -> str:
        """Whether one condition holds."""
        match condition:
            case Clause():
                return self._rows_hold([condition], at)
            case Joined():
                return self._joined_hold(condition, at)
            case Missing():
                return f"NOT {self._has_rows(condition, at)}"
            case Not(_, Missing() as missing):
                return self._has_rows(missing, at)
            case Linked():
                return self._linked_holds(condition, at)
            case Linking():
                return self._linking_holds(condition, at)
            case Addressed():
                return canonicals.leads(self, condition, at.pk)
            case Addressing():
                return canonicals.is_led_to(self, condition, at.pk)
            case AllOf(_, inner):
                return f"({' AND '.join(self.all_hold(inner, at))})"
            case AnyOf(_, inner):
                return f"({' OR '.join(self.holds(one, at) for one in inner) or 'false'})"
            case Not(_, one):
                return f"NOT ({self.holds(one, at)})"

    def _has_rows(self, missing: Missing, at: Place) -> str:
        found: list[str] = []
        for table in (missing.kind, *BESIDE.get(missing.kind, ())):
            alias = next(self._aliases)
            types = missing.types if table == "reference" else ()
            where = [f"{alias}.pk = {at.pk}", self.at(alias, missing.paths, types)]
            if table != missing.kind and missing.types:
                where.append(conditions.of_items(alias, reference.marks(missing.types)))
            found.append(self.exists(f"fhir.{table} {alias}", where))
        return conditions.any_of(found)

    def _rows_hold(self, clauses: Sequence[Clause], at: Place) -> str:
        first = clauses[0]
        if first.kind in OF_RESOURCE:
            if at.row:
                return self.of_resource(clauses, at.row)
            alias = next(self._aliases)
            where = [self.resources(alias, at.type), f"{alias}.pk = {at.pk}", self.of_resource(clauses, alias)]
            return self.exists(f"fhir.resource {alias}", where)
        alias = next(self._aliases)
        where = [f"{alias}.pk = {at.pk}", self.at(alias, first.paths), *self.of_rows(clauses, alias)]
        return self.exists(f"fhir.{first.kind} {alias}", where)

    def _joined_hold(self, joined: Joined, at: Place) -> str:
        first, *rest = joined.clauses
        alias = next(self._aliases)
        where = [f"{alias}.pk = {at.pk}", self.at(alias, first.paths), *self.of_rows([first], alias)]
        where += self.of_item(rest, alias)
        return self.exists(f"fhir.{first.kind} {alias}", where)

    def of_item(self, clauses: Iterable[Clause], alias: str) -> list[str]:
        """Whether rows of the same item as that of the alias match these clauses too."""
        found = []
        for clause in clauses:
            own = next(self._aliases)
            same = [f"{own}.pk = {alias}.pk", f"{own}.item = {alias}.item", self.at(own, clause.paths)]
            found.append(self.exists(f"fhir.{clause.kind} {own}", [*same, *self.of_rows([clause], own)]))
        return found

    def _linked_holds(self, linked: Linked, at: Place) -> str:
        link, target = next(self._aliases), next(self._aliases)
        names = self._names_of_target(link, linked.type)
        where = [
            f"{link}.pk = {at.pk}",
            self.at(link, linked.paths),
            f"{link}.target_type = {number_of[linked.type]}",
            *self.all_hold(linked.conditions, Place(linked.type, f"{target}.pk", target)),
        ]
        row = f"{self.resources(target, linked.type)} AND {target}.id = {names} AND NOT {target}.deleted"
        return self.exists(f"fhir.reference {link} JOIN fhir.resource {target} ON {row}", where)

    def _linking_holds(self, linking: Linking, at: Place) -> str:
        link = next(self._aliases)
        where = [
            self.at(link, linking.paths),
            f"{link}.target_type = {number_of[at.type]}",
            f"{link}.target_id = {self._names(at)}",
        ]
        lead = _leader(linking)
        if lead is None:
            where += self.all_hold(linking.conditions, Place(linking.type, f"{link}.pk"))
            return self.exists(f"fhir.reference {link}", where)
        keys = f"SELECT {link}.pk FROM fhir.reference {link} WHERE {' AND '.join(where)}"
        return self._together_hold(linking, lead, keys)

    def _together_hold(self, linking: Linking, lead: Sequence[Condition], keys: str) -> str:
        """Whether the conditions hold for one of some resources. keys: what selects their keys"""
        clauses = [one for one in lead if isinstance(one, Clause)]
        alias = next(self._aliases)
        rest = [group for group in groups(linking.conditions) if group != lead]
        where = [
            self.at(alias, clauses[0].paths),
            *self.of_rows(clauses, alias),
            f"{alias}.pk = ANY(ARRAY({keys}))",
            *[self.group_holds(group, Place(linking.type, f"{alias}.pk")) for group in rest],
        ]
        return self.exists(f"fhir.{clauses[0].kind} {alias}", where)

    def gathered_holds(self, condition: Condition, at: Place) -> str:
        """Whether a chain, forwards or backwards, holds for a resource: asked of all that it leads to or comes from,
        which PostgreSQL gathers in a hash table when it is first asked."""
        link = next(self._aliases)
        match condition:
            case Linked():
                own, name, found = f"{link}.pk = {at.pk}", f"{link}.target_id", self.ids(condition)
                kind = condition.type
            case Linking():
                own, name = f"{link}.target_id = {self._names(at)}", f"{link}.pk"
                found, kind = self.keys(condition.type, condition.conditions), at.type
            case _:
                raise TypeError(condition)
        which = f"{self.at(link, condition.paths)} AND {link}.target_type = {number_of[kind]}"
        # a plain IN would become a join
        return self.exists(f"fhir.reference {link}", [own, which, f"({name} IN ({found})) IS TRUE"])

    def exists(self, source: str, where: Iterable[str]) -> str:
        """Whether there is such a row."""
        return f"EXISTS (SELECT FROM {source} WHERE {' AND '.join(where)}{self._fence})"

    def _names(self, at: Place) -> str:
        """The ids under which others refer to a resource: its own, and those of patients merged into it."""
        own = f"{at.row}.id"
        if not at.row:
            alias = next(self._aliases)
            where = f"{self.resources(alias, at.type)} AND {alias}.pk = {at.pk}"
            own = f"(SELECT {alias}.id FROM fhir.resource {alias} WHERE {where})"
        return f"ANY({self._with_merged(own)})" if at.type == PATIENT else own

    def _names_of_target(self, link: str, kind: str) -> str:
        """The ids of the resources that a row of a reference leads to: the one named, and who that was merged into."""
        if kind != PATIENT:
            return f"{link}.target_id"
        survivor = f"(SELECT survivor FROM fhir.merged WHERE site = {self.site} AND source = {link}.target_id)"
        return f"ANY(ARRAY[{link}.target_id, {survivor}])"

    def _with_merged(self, own: str) -> str:
        return (
            f"ARRAY[{own}] || ARRAY(SELECT source FROM fhir.merged"
            f" WHERE site = {self.site} AND survivor = {own} AND source <> survivor)"
        )

    # Where the resources stand for which a condition holds

    def sources(self, group: Sequence[Condition], kind: str, alias: str) -> list[str]:
        """Statements from FROM on, one of which has the key of each match in `<alias>.pk`; none when the group can
        only be asked of a resource that is at hand."""
        first = group[0]
        match first:
            case Clause():
                return self._clause_sources([one for one in group if isinstance(one, Clause)], kind, alias)
            case Joined(_, (lead, *rest)):
                own = [self.at(alias, lead.paths), *self.of_rows([lead], alias), *self.of_item(rest, alias)]
                source = f"FROM fhir.{lead.kind} {alias}\nWHERE {' AND '.join(own)}"
                return [f"{source}{part}" for part in starts.parts([lead], alias, self.arguments)]
            case Linked():
                where = f"{self.at(alias, first.paths)} AND {alias}.target_type = {number_of[first.type]}"
                return [
                    f"FROM fhir.reference {alias}\nWHERE {where} AND {alias}.target_id = ANY(ARRAY({self.ids(first)}))"
                ]
            case Linking():
                return [self._linking_source(first, kind, alias)]
            case Addressed():
                return canonicals.leading(self, first, alias)
            case Addressing():
                return [canonicals.led_to(self, first, kind, alias)]
            case AnyOf(_, inner):
                found = [self.sources([one], kind, alias) for one in inner]
                return [source for own in found for source in own] if all(found) else []
            case AllOf(_, inner):
                return self._all_sources(inner, kind, alias)
        return []

    def _all_sources(self, inner: Sequence[Condition], kind: str, alias: str) -> list[str]:
        own = sorted(groups(inner), key=likely)
        for lead in own:
            if found := self.sources(lead, kind, alias):
                amounts = next((group for group in own if group is not lead and _is_of_amounts(group)), None)
                if amounts is None:
                    return self._tried(found, own, lead, kind, alias)
                few = self._few(amounts, kind)
                turned = self._tried(self.sources(amounts, kind, alias), own, amounts, kind, alias, few)
                return [*self._tried(found, own, lead, kind, alias, f"NOT {few}"), *turned]
        return []

    def _tried(
        self,
        sources: Sequence[str],
        own: Sequence[Sequence[Condition]],
        lead: Sequence[Condition],
        kind: str,
        alias: str,
        *when: str,
    ) -> list[str]:
        """The sources of one group, with the conditions of the others."""
        rest = [self.group_holds(group, Place(kind, f"{alias}.pk")) for group in own if group is not lead]
        return ["\n  AND ".join([source, *rest, *when]) for source in sources]

    def _few(self, group: Sequence[Condition], kind: str) -> str:
        """Whether a group has so few rows that it leads, however many are expected: PostgreSQL counts them once, up to
        the bound, and runs only the statement for which it holds."""
        alias = next(self._aliases)
        rows = "\nUNION ALL\n".join(f"SELECT {source}" for source in self.sources(group, kind, alias))
        return f"(SELECT count(*) <= {FEW} FROM (\n{rows}\nLIMIT {FEW + 1}\n) n)"

    def _clause_sources(self, clauses: Sequence[Clause], kind: str, alias: str) -> list[str]:
        first = clauses[0]
        if first.kind in OF_RESOURCE:
            where = [self.resources(alias, kind), f"NOT {alias}.deleted", self.of_resource(clauses, alias)]
            return [f"FROM fhir.resource {alias}\nWHERE {' AND '.join(where)}"]
        where = grams.of_rows(clauses, alias, self.arguments, self.site) or [self.at(alias, first.paths)]
        where += self.of_rows(clauses, alias)
        source = f"FROM fhir.{first.kind} {alias}\nWHERE {' AND '.join(where)}"
        return [f"{source}{part}" for part in starts.parts(clauses, alias, self.arguments)]

    def _linking_source(self, linking: Linking, kind: str, alias: str) -> str:
        key, link, named = next(self._aliases), next(self._aliases), next(self._aliases)
        names = self._names_of_target(named, kind)
        row = f"{self.at(link, linking.paths)} AND {link}.target_type = {number_of[kind]}"
        return (
            f"FROM (\nSELECT DISTINCT {link}.target_id\n"
            f"FROM ({self.keys(linking.type, linking.conditions)}) {key}\n"
            f"JOIN fhir.reference {link} ON {link}.pk = {key}.pk AND {row}\n) {named}\n"
            f"JOIN fhir.resource {alias} ON {self.resources(alias, kind)} AND {alias}.id = {names}"
            f"\nWHERE NOT {alias}.deleted"
        )

    def ids(self, linked: Linked, most: str = "") -> str:
        """What selects the ids under which the matching targets of a chain are referred to. most: a LIMIT"""
        target, key = next(self._aliases), next(self._aliases)
        names = f"unnest({self._with_merged(f'{target}.id')})" if linked.type == PATIENT else f"{target}.id"
        found = f"({self.keys(linked.type, linked.conditions)}{most}) {key}"
        row = f"{self.resources(target, linked.type)} AND {target}.pk = {key}.pk"
        return f"SELECT {names} FROM {found} JOIN fhir.resource {target} ON {row}"

    def asked_ids(self, linked: Linked, begin: str, order: str, bound: str) -> str:
        """What selects the same in their order, by asking whether the chain leads to them: of the first ids that
        anything of that type could be referred to by. begin: where the ids begin; order: DESC or nothing; bound: a
        LIMIT, how many are asked"""
        target, name = next(self._aliases), next(self._aliases)
        first = f"ORDER BY target_id{order} {bound}"
        own = f"SELECT {target}.id AS target_id FROM fhir.resource {target} WHERE {self.resources(target, linked.type)}"
        ids = f"SELECT target_id FROM (\n{own}\n) i{begin}\n{first}"
        if linked.type == PATIENT:
            merged = f"SELECT source AS target_id FROM fhir.merged WHERE site = {self.site}"
            ids = f"(\n{ids}\n) UNION (\nSELECT target_id FROM (\n{merged}\n) i{begin}\n{first}\n)\n{first}"
        held = [
            f"{self.resources(target, linked.type)} AND {target}.id = {self._names_of_target(name, linked.type)}",
            f"NOT {target}.deleted",
            *self.all_hold(linked.conditions, Place(linked.type, f"{target}.pk", target)),
        ]
        return (
            f"SELECT {name}.target_id AS id FROM (\n{ids}\n) {name}\n"
            f"WHERE {self.exists(f'fhir.resource {target}', held)}\nORDER BY {name}.target_id{order}"
        )

    def keys(self, kind: str, conditions: Sequence[Condition]) -> str:
        """What selects the keys of the resources of a type that match, perhaps more than once."""
        alias = next(self._aliases)
        found = self._all_sources(conditions, kind, alias)
        if not found:
            at = Place(kind, f"{alias}.pk", alias)
            where = [self.resources(alias, kind), f"NOT {alias}.deleted", *self.all_hold(conditions, at)]
            found = [f"FROM fhir.resource {alias}\nWHERE {' AND '.join(where)}"]
        return "\nUNION ALL\n".join(f"SELECT {alias}.pk {source}" for source in found)

    # Conditions on one row

    def at(self, alias: str, paths: Sequence[int], types: Sequence[int] = ()) -> str:
        """Whether a row was taken from one of these paths. types: one of which a reference leads to, if any"""
        which = f"IN ({', '.join(map(str, paths))})" if len(paths) > 1 else f"= {paths[0]}"
        leads = f" AND {alias}.target_type IN ({', '.join(map(str, types))})" if types else ""
        return f"{alias}.site = {self.site} AND {alias}.path {which}{leads}"

    def of_rows(self, clauses: Iterable[Clause], alias: str) -> list[str]:
        """Whether one row matches each of these clauses."""
        return [
            conditions.any_of(conditions.of_rows(each, alias, self.arguments, self.site, apart=False))
            for each in clauses
        ]

    def of_resource(self, clauses: Iterable[Clause], alias: str) -> str:
        """Whether a row of `fhir.resource` matches each of these clauses."""
        found = [conditions.of_resource(clause, alias, self.arguments) for clause in clauses]
        return " AND ".join(map(conditions.any_of, found))


def groups(conditions: Iterable[Condition]) -> list[list[Condition]]:
    """Conditions in groups that one row answers: clauses on the same value of a resource, as the two ends of a window
    are. Those that only together are a condition, as the parts of a composite, are groups of their own."""
    found: dict[tuple[str, int], list[Condition]] = {}
    for number, one in enumerate(_each(conditions)):
        shared = isinstance(one, Clause) and (one.single or one.kind in OF_RESOURCE)
        found.setdefault((one.code, 0 if shared else number + 1), []).append(one)
    return list(found.values())


def _each(conditions: Iterable[Condition]) -> Iterator[Condition]:
    for one in conditions:
        if isinstance(one, AllOf):
            yield from _each(one.conditions)
        else:
            yield one


def _is_of_amounts(group: Sequence[Condition]) -> bool:
    return isinstance(group[0], Clause) and group[0].kind == "quantity"


def is_of_resource(group: Sequence[Condition]) -> bool:
    """Whether a group is about columns of the resource itself."""
    return isinstance(group[0], Clause) and group[0].kind in OF_RESOURCE


def likely(group: Sequence[Condition]) -> int:
    """How few resources a group is likely to leave, 0 the fewest: by the kind of its values, before anything is
    counted."""
    match group[0]:
        case Clause():
            return min(one.selective for one in group if isinstance(one, Clause))
        case Joined(_, clauses):
            return min(clause.selective for clause in clauses) + 1
        case Linked() | Linking() | Addressed() | Addressing() as chain:
            return min(map(likely, groups(chain.conditions))) + 2
        case AllOf(_, inner):
            return min(map(likely, groups(inner)), default=99)
        case AnyOf(_, inner):
            return max((likely([one]) for one in inner), default=99)
    return 99


def is_ordered(group: Sequence[Condition]) -> bool:
    """Whether the rows of a group can be walked in the order of the resources' keys: those of whole values can."""
    first = group[0]
    if isinstance(first, AnyOf):
        return bool(first.conditions) and all(is_ordered([one]) for one in first.conditions)
    if isinstance(first, AllOf):
        return any(map(is_ordered, groups(first.conditions)))
    if isinstance(first, Clause):
        return first.kind in ("token", "reference") and all(map(_is_whole, first.values))
    return isinstance(first, Linked) or (isinstance(first, Joined) and is_ordered(first.clauses[:1]))


def _is_whole(value: Value) -> bool:
    match value:
        case Token(_, code) | Identified(Token(_, code), _):
            return code is not None
        case Target() | Address():
            return True
    return False


def is_read_together(condition: Condition) -> bool:
    """Whether all that refers to a resource backwards along a chain can be walked at once: where a condition on it is
    whole values, whose index ends in the key."""
    return isinstance(condition, Linking) and _leader(condition) is not None


def _leader(linking: Linking) -> list[Condition] | None:
    found = [group for group in groups(linking.conditions) if isinstance(group[0], Clause) and is_ordered(group)]
    return min(found, key=likely, default=None)
