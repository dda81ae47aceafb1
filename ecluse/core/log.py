"""Logs as JSON lines, without patient data.

Enters: an event's name and facts that are counts, durations, types, reasons or ids of requests. Leaves: one line on
stderr. No caller passes a resource, an identifier of a patient, a query string or a body: the field names below are
all that is let through.
"""

from __future__ import annotations

import logging
import sys

import msgspec

from ecluse.core import clock

FIELDS = frozenset(
    "address attempt batch bytes consumer count delay_s database duration_ms entries error group host "
    "interaction lag_events lag_s lane method partition pid port reason request_id resource_type seq signal "
    "site sql_state status subscription topic version worker".split()
)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": clock.instant_text(clock.now()),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(getattr(record, "facts", {}))
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return msgspec.json.encode(line).decode()


class Log:
    """A named logger: `log.info("batch written", consumer="warehouse", count=12)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"ecluse.{name}")

    def info(self, event: str, **facts: object) -> None:
        """Something expected took place."""
        self._logger.info(event, extra={"facts": _allowed(facts)})

    def warning(self, event: str, **facts: object) -> None:
        """Something is not as it should be, and the program goes on."""
        self._logger.warning(event, extra={"facts": _allowed(facts)})

    def error(self, event: str, **facts: object) -> None:
        """Somebody has to look."""
        self._logger.error(event, extra={"facts": _allowed(facts)})


def _allowed(facts: dict[str, object]) -> dict[str, object]:
    unknown = facts.keys() - FIELDS
    if unknown:
        raise ValueError(f"log fields {sorted(unknown)} are not in ecluse.core.log.FIELDS")
    return facts


def configure(level: str = "info") -> None:
    """Sends our loggers to stderr as JSON lines; called once by each command."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    for name in ("ecluse", "opentelemetry"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
