"""A place among what was included, as it stands in a link.

Enters: the keys of a page's matches and the last resource that was included, or the text of a link. Leaves: the other.
Like a cursor it holds all that is needed to go on. It names matches that were shown; whatever keys it names, resources
of other types or other sites than those that are searched lead to nothing.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated

import msgspec

from ecluse.core.errors import BadRequest
from ecluse.related.follower import Place
from fhir_server.search.cursor import Ordinal


class Rest(msgspec.Struct, frozen=True, array_like=True):
    """keys: of the matches; type, pk: the last resource that was included."""

    keys: Annotated[tuple[Ordinal, ...], msgspec.Meta(max_length=1000)]
    type: Annotated[int, msgspec.Meta(ge=0, le=32_767)]
    pk: Ordinal

    @property
    def place(self) -> Place:
        """The place after which the page begins."""
        return Place(self.type, self.pk)

    @property
    def text(self) -> str:
        """The place as it stands in a link."""
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


def rest_after(keys: Sequence[int], place: Place) -> Rest:
    """What is left after a place of what these matches include."""
    return Rest(tuple(keys), place.type, place.pk)


def rest(text: str) -> Rest:
    """The place of a link. Raises: BadRequest (400) when it is none of this server's"""
    try:
        return msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Rest)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise BadRequest(
            "_included: follow the `next` link of a page as it is.", diagnostics=f'found "{text[:80]}"'
        ) from None
