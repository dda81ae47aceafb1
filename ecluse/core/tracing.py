"""Traces of a write, from the request to the row in a sink; off unless a collector is named.

Enters: settings, once; then what each part of the way says about its work. Leaves: spans (spans.py), sent from a thread
of their own; what the collector does not take in time is dropped, and nothing waits for it. While it is off nothing of
OpenTelemetry is imported, and each place on the way costs one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ecluse.core.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ecluse.core.spans import Spans

NOTHING: AbstractContextManager[None] = nullcontext()
spans: Spans | None = None
"""Where this process tells of its work; None while that is off."""


def begin(settings: Settings, part: str) -> None:
    """Traces what this process does from now on, when a collector is named. part: serve, relay or a consumer's name

    Raises: SettingsError when OpenTelemetry is not installed"""
    global spans
    if not settings.otlp_endpoint or spans is not None:
        return
    try:
        from ecluse.core.spans import Spans
    except ModuleNotFoundError as error:
        raise SettingsError(
            "ECLUSE_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is not installed: "
            "pip install 'ecluse[otel]', or unset it."
        ) from error
    spans = Spans(settings.otlp_endpoint, f"ecluse-{part}")


def span(name: str) -> AbstractContextManager[None]:
    """A piece of work within the one that is under way."""
    return NOTHING if spans is None else spans.within(name)


def sending(name: str, traceparents: Iterable[str]) -> AbstractContextManager[None]:
    """Sending events that requests with these trace contexts wrote, one for each event."""
    return NOTHING if spans is None else spans.sending(name, traceparents)


def taking(name: str, traceparents: Iterable[str]) -> AbstractContextManager[None]:
    """Taking events, as `sending`."""
    return NOTHING if spans is None else spans.taking(name, traceparents)


def work(name: str) -> AbstractContextManager[None]:
    """Work that goes on when the request that asked for it is answered: a trace of its own."""
    return NOTHING if spans is None else spans.work(name)


def carried() -> str:
    """The `traceparent` of what is under way, for whom it is told to; "" for none."""
    return "" if spans is None else spans.carried()
