"""Every error of Écluse, as one tree and one table.

    EcluseError
    ├── BadRequest          400  the text is not what FHIR calls a resource
    ├── Gone                410  it was deleted
    ├── NotFound            404
    ├── MethodNotAllowed    405
    ├── NotAcceptable       406
    ├── Conflict            409  two writers, or a reference that cannot be kept
    ├── Overtaken           409  another writer changed what a condition had found: search again
    ├── PreconditionFailed  412  If-Match, or a condition that matches several
    ├── TooLarge            413
    ├── UriTooLong          414
    ├── UnsupportedMedia    415
    ├── Unprocessable       422  FHIR, but against a rule of the server
    ├── Busy                429  as much is under way as may be: try again
    ├── NotSupported        501
    ├── NotKept             507  a file cannot be written
    ├── Unavailable         503  the database, the broker or a neighbour is away: try again
    │   ├── TooSlow         503  the work was stopped because it took too long: ask for less
    │   ├── Undone          503  the database undid the transaction: nothing of it was written
    │   └── Uncertain       503  the connection was lost during the commit: it was written, or it was not
    ├── Fenced              503  another process has taken this one's work over
    └── Unmappable          422  a consumer cannot map this record, now or later: dead letter

A leaf carries its HTTP status, its OperationOutcome issue code and whether trying again can help. The server turns it
into an answer in one handler (`fhir_server/http/failures.py`), the consumers into retry or dead letter in one loop.
Spec: http://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding: what is wrong, in words that say the fix, where (FHIRPath), what was found there, and which profile
    asks for it."""

    text: str
    expression: str = ""
    diagnostics: str = ""
    code: str = ""
    severity: str = "error"
    profile: str = ""

    @classmethod
    def information(cls, text: str, expression: str = "") -> Issue:
        """What is no error: something done, or left to say."""
        return cls(text, expression, code="informational", severity="information")

    @property
    def line(self) -> str:
        """Text, place and what was found, for a terminal."""
        return " ".join(part for part in (self.text, self.expression, self.diagnostics) if part)


class EcluseError(Exception):
    """An error that a caller can act on."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"
    retry: ClassVar[bool] = False
    entry: int | None = None
    """Which of several writes was refused, when there were several."""

    def __init__(
        self,
        text: str = "",
        *,
        issues: Sequence[Issue] = (),
        expression: str = "",
        diagnostics: str = "",
        version: int | None = None,
    ) -> None:
        """text: the sentence shown to the caller; issues: several findings at once, instead of text; version: the one
        that stands, for the answer's ETag."""
        self.version = version
        self.issues: tuple[Issue, ...] = tuple(issues) or (
            Issue(text or type(self).__doc__ or "", expression, diagnostics),
        )
        super().__init__(text or "; ".join(issue.text for issue in self.issues))

    @property
    def coded(self) -> list[Issue]:
        """The issues, each with a code."""
        return [issue if issue.code else replace(issue, code=self.code) for issue in self.issues]


class Gathering:
    """What is wrong with several values, told at once: of what a client asks, and of what it names and there is not."""

    def __init__(self) -> None:
        self._errors: list[EcluseError] = []

    def read(self, read: Callable[..., T], *given: Any) -> T:
        """What is read; after a refusal nothing of use, until `check` tells it. read: may raise BadRequest, NotFound"""
        try:
            return read(*given)
        except (BadRequest, NotFound) as error:
            self._errors.append(error)
            return cast(T, None)

    async def found(self, finding: Awaitable[T]) -> T:
        """The same, for what has to be waited for."""
        try:
            return await finding
        except (BadRequest, NotFound) as error:
            self._errors.append(error)
            return cast(T, None)

    def check(self) -> None:
        """Nothing, when nothing was refused.

        Raises: the refusal; of several a BadRequest (400) with all their issues, or a NotFound (404)"""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            kind = NotFound if all(isinstance(error, NotFound) for error in self._errors) else BadRequest
            raise kind(issues=[issue for error in self._errors for issue in error.coded])


class BadRequest(EcluseError):
    """The request cannot be read as FHIR."""

    status = 400
    code = "structure"


class NotFound(EcluseError):
    """Nothing is stored under this address."""

    status = 404
    code = "not-found"


class MethodNotAllowed(EcluseError):
    """This address does not take this method."""

    status = 405
    code = "not-supported"

    def __init__(self, text: str, allowed: Sequence[str]) -> None:
        """allowed: the methods that it takes, for the answer's Allow."""
        super().__init__(text)
        self.allowed = tuple(allowed)


class NotAcceptable(EcluseError):
    """None of the formats in Accept can be produced."""

    status = 406
    code = "not-supported"


class Conflict(EcluseError):
    """The write contradicts another one."""

    status = 409
    code = "conflict"


class Gone(EcluseError):
    """The resource was deleted."""

    status = 410
    code = "deleted"


class Overtaken(EcluseError):
    """Another writer changed what the condition had found; search again."""

    status = 409
    code = "conflict"
    retry = True


class PreconditionFailed(EcluseError):
    """The condition of the request does not hold."""

    status = 412
    code = "conflict"


class TooLarge(EcluseError):
    """The body is larger than this server takes."""

    status = 413
    code = "too-long"


class UriTooLong(EcluseError):
    """The address is longer than this server takes."""

    status = 414
    code = "too-long"


class UnsupportedMedia(EcluseError):
    """The body's format is not one this server reads."""

    status = 415
    code = "not-supported"


class Unprocessable(EcluseError):
    """The resource breaks a rule of the server."""

    status = 422
    code = "business-rule"


class Busy(EcluseError):
    """As much is under way as this server takes on at once; the same request may succeed later."""

    status = 429
    code = "throttled"
    retry = True


class NotSupported(EcluseError):
    """The server does not do this."""

    status = 501
    code = "not-supported"


class NotKept(EcluseError):
    """A file cannot be written here: the disk is full, or closed to the server."""

    status = 507
    code = "no-store"


class Unavailable(EcluseError):
    """Something the server needs is away; the same request may succeed later."""

    status = 503
    code = "transient"
    retry = True


class TooSlow(Unavailable):
    """The database took longer than one request may; ask for less."""

    code = "timeout"


class Undone(Unavailable):
    """The database undid the transaction; nothing of it was written, and the same one may succeed."""


class Uncertain(Unavailable):
    """The connection to the database was lost during the commit; nobody knows yet whether it took place."""


class Fenced(EcluseError):
    """Another process has taken this work over; this one has written nothing and must begin again."""

    status = 503
    code = "transient"


class Unmappable(EcluseError):
    """The record cannot be mapped, now or later."""

    status = 422
    code = "processing"
