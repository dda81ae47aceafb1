"""The logical id of a resource, as a query asks for it. Its rows are the resource table itself.

Enters: the text of a query. Leaves: the id to look for.
Spec: http://hl7.org/fhir/R4/search.html#id
"""

from __future__ import annotations

import re

from mappers.search.question import Id, Question, Value, plain, refused

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def asked(text: str, question: Question) -> list[Value]:
    """The id that is looked for.

    Raises: BadRequest (400) when it is none"""
    found = plain(text)
    if not _ID.fullmatch(found):
        raise refused(question, text, "write an id: 1 to 64 letters, digits, - and .")
    return [Id(found)]
