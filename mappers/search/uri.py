"""Uri parameters: addresses that are compared whole.

Enters: a value of a resource, or the text of a query. Leaves: rows among the tokens, without system, or the same text
to look for.
Spec: http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

from mappers.search import token
from mappers.search.rows import Reader, limited

normalise = limited
"""The address as the index holds it."""

READERS: dict[str, Reader] = dict.fromkeys(("uri", "url", "canonical", "oid", "uuid"), token.READERS["uri"])
