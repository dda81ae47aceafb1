"""Spans by OpenTelemetry, for tracing.py alone: importing this is what tracing costs.

Enters: trace contexts of requests (`traceparent`), names of work. Leaves: spans to a collector, by OTLP over HTTP. No
span has an id of a resource, an address, a query or a text of an error: they are names, counts and status.

A batch of events that one request wrote is a child of that request's span. A batch of several is a trace of its own
with a link to each request, and each request's trace has a span of the batch's length that links back.
Spec: https://www.w3.org/TR/trace-context/, https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACES = "/v1/traces"
EVENTS = "messaging.batch.message_count"
_propagator = TraceContextTextMapPropagator()


class Source(NamedTuple):
    """A request that is traced. context: that of its span; events: how many of a batch it wrote"""

    context: Context
    events: int

    @property
    def link(self) -> Link:
        """To its span."""
        return Link(get_current_span(self.context).get_span_context())


class Spans:
    """What one process tells a collector; how often and how much is for the OTEL_ variables of the SDK to say."""

    def __init__(self, endpoint: str, service: str) -> None:
        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + TRACES)))
        self._tracer = provider.get_tracer("ecluse")

    @contextmanager
    def request(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[Request]:
        """A request, in the trace that its headers name, else in a new one."""
        with self._span(name, _propagator.extract(carrier), SpanKind.SERVER, attributes) as span:
            yield Request(span)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """A piece of work within the present span; nothing where there is none, since a trace begins with a request."""
        if not get_current_span().get_span_context().is_valid:
            yield
            return
        with self._span(name, None, SpanKind.INTERNAL, {}):
            yield

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """A trace of its own."""
        with self._span(name, Context(), SpanKind.INTERNAL, {}):
            yield

    @staticmethod
    def carried() -> str:
        """By which others find the present span; "" for none."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent", "")

    @contextmanager
    def sending(self, name: str, traceparents: Iterable[str]) -> Iterator[None]:
        """Work on the events of these requests, on their way out."""
        with self._batch(name, SpanKind.PRODUCER, _sources(traceparents)):
            yield

    @contextmanager
    def taking(self, name: str, traceparents: Iterable[str]) -> Iterator[None]:
        """Work on the events of these requests, on their way in."""
        with self._batch(name, SpanKind.CONSUMER, _sources(traceparents)):
            yield

    @contextmanager
    def _batch(self, name: str, kind: SpanKind, sources: list[Source]) -> Iterator[None]:
        if not sources:
            yield
        elif len(sources) == 1:
            with self._span(name, sources[0].context, kind, {EVENTS: sources[0].events}):
                yield
        else:
            with self._several(name, kind, sources):
                yield

    @contextmanager
    def _several(self, name: str, kind: SpanKind, sources: list[Source]) -> Iterator[None]:
        told = {EVENTS: sum(source.events for source in sources)}
        links = [source.link for source in sources]
        with self._span(f"{name} batch", Context(), kind, told, links) as whole:
            began = time.time_ns()
            yield
        ended, back = time.time_ns(), [Link(whole.get_span_context())]
        for source in sources:
            self._tracer.start_span(name, source.context, kind, {EVENTS: source.events}, back, start_time=began).end(
                ended
            )

    @contextmanager
    def _span(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        links: Iterable[Link] = (),
    ) -> Iterator[Span]:
        # The text of an exception may quote what was sent.
        silent = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(name, context, kind, attributes, tuple(links), **silent) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise


class Request:
    """The span of a request."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """By which others find the span."""
        return Spans.carried()

    def answered(self, status: int) -> None:
        """The request was answered with this status."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


def _sources(traceparents: Iterable[str]) -> list[Source]:
    """The requests among these that are traced, in their order."""
    found = []
    for traceparent, events in Counter(traceparents).items():
        context = _propagator.extract({"traceparent": traceparent}, Context())
        if get_current_span(context).get_span_context().trace_flags.sampled:
            found.append(Source(context, events))
    return found
