"""The order of results: keys, and the place after which a page begins.

Enters: the keys that a query sorts by. Leaves: text. A resource without a value comes last in either direction; what
the keys do not part follows in the order of creation, forwards or backwards as the first key does.
Spec: http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.search.conditions import Arguments
from fhir_server.search.query import SearchQuery, Sort
from fhir_server.search.tree import Tree

COLUMNS = {
    "_id": "id",
    "_lastUpdated": "updated",
    "token": "code",
    "reference": "target_id",
    "string": "folded",
    "date": "low",
    "quantity": "canonical_low",
}
"""The column that each kind of key compares."""
NOTHING = {"date": "NULL::timestamptz", "quantity": "NULL::numeric"}


class Keys:
    """The keys of one order, as columns k0, k1 … of a statement."""

    def __init__(self, sort: Sequence[Sort], kind: str, tree: Tree) -> None:
        self.sort, self.kind, self.tree = sort, kind, tree
        self.names = [f"k{number}" for number in range(len(sort))]
        self.columns = [COLUMNS[key.by] for key in sort]

    @property
    def nothing(self) -> str:
        """The first key of a resource that has no value."""
        return NOTHING.get(self.sort[0].by, 'NULL::text COLLATE "C"')

    def of(self, pk: str, row: str) -> list[str]:
        """The keys of the resource with this key. row: alias of its row, empty when that is not at hand."""
        return [
            f"{self._of(key, column, pk, row)} AS {name}"
            for key, column, name in zip(self.sort, self.columns, self.names, strict=True)
        ]

    def _of(self, key: Sort, column: str, pk: str, row: str) -> str:
        if key.paths:
            first = "max" if key.descending else "min"
            where = f"d.pk = {pk} AND {self.tree.at('d', key.paths, key.types)}"
            return f"(SELECT {first}(d.{column}) FROM fhir.{key.by} d WHERE {where})"
        if row:
            return f"{row}.{column}"
        return f"(SELECT d.{column} FROM fhir.resource d WHERE {self.tree.resources('d', self.kind)} AND d.pk = {pk})"

    def order(self, alias: str, *, columns: bool = False) -> str:
        """What follows ORDER BY. columns: the rows have the columns themselves, none of them missing."""
        names = self.columns if columns else self.names
        found = []
        for key, name in zip(self.sort, names, strict=True):
            last = " NULLS LAST" if key.paths and not columns else ""
            found.append(f"{alias}.{name}{' DESC' if key.descending else ''}{last}")
        descending = " DESC" if self.sort and self.sort[0].descending else ""
        return ", ".join([*found, f"{alias}.pk{descending}"])


def beyond(query: SearchQuery, alias: str, arguments: Arguments, names: Sequence[str] | None = None) -> list[str]:
    """The condition that a row comes after the cursor; none for a first page. names: columns of the keys, which all
    rows have, none of them when the keys do not part these rows; without, k0, k1 …, which may be missing."""
    cursor = query.cursor
    if cursor is None:
        return []
    sign = "<" if query.descending else ">"
    if names is not None and len(names) == 1:
        place = f"({arguments.add(cursor.keys[0])}, {arguments.add(cursor.pk)})"
        return [f"({alias}.{names[0]}, {alias}.pk) {sign} {place}"]
    found = f"{alias}.pk {sign} {arguments.add(cursor.pk)}"
    columns = [f"k{place}" for place in range(len(query.sort))] if names is None else names
    for key, column, value in reversed(list(zip(query.sort, columns, cursor.keys, strict=False))):
        found = _nested(key, f"{alias}.{column}", value, found, arguments)
    return [found]


def _nested(key: Sort, name: str, value: object, rest: str, arguments: Arguments) -> str:
    """Whether a row comes after the place by this key, or is level with it and after it by the rest."""
    if value is None:
        return f"({name} IS NULL AND {rest})"
    mark, sign = arguments.add(value), "<" if key.descending else ">"
    last = f" OR {name} IS NULL" if key.paths else ""
    return f"({name} {sign} {mark}{last} OR ({name} = {mark} AND {rest}))"


def first_of_its_resource(key: Sort, tree: Tree) -> list[str]:
    """The condition that a row d is the one of its resource that comes first in this order; none when there can be no
    other."""
    if not key.many:
        return []
    column, sign = COLUMNS[key.by], ">" if key.descending else "<"
    return [
        f"NOT EXISTS (SELECT FROM fhir.{key.by} e WHERE e.pk = d.pk AND {tree.at('e', key.paths, key.types)}"
        f" AND (e.{column}, e.ctid) {sign} (d.{column}, d.ctid))"
    ]
