"""Traces: what they cost while they are off, and what a batch of several requests becomes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ecluse.core import tracing
from ecluse.core.settings import Settings, SettingsError
from ecluse.core.spans import Spans

ONE, OTHER = "00-" + "1" * 32 + "-" + "1" * 16 + "-01", "00-" + "2" * 32 + "-" + "2" * 16 + "-01"
QUIET = "00-" + "3" * 32 + "-" + "3" * 16 + "-00"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[Spans, InMemorySpanExporter]:
    """Spans, and where they arrive."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans.__new__(Spans)
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("test"), raising=False)
    return spans, exporter


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off() -> None:
    """By none of the programs that would tell of their work."""
    code = (
        "import sys, ecluse.cli.cli, ecluse.cli.application, ecluse.bus.relay, consumers.runner\n"
        "from ecluse.core import tracing, settings\n"
        "tracing.begin(settings.Settings(), 'serve')\n"
        "with tracing.span('x'), tracing.sending('x', None), tracing.taking('x', None), tracing.work('x'): pass\n"
        "assert tracing.carried() == ''\n"
        "assert tracing.spans is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_packages_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ecluse.core.spans", None)
    with pytest.raises(SettingsError, match=r"pip install 'ecluse\[otel\]'"):
        tracing.begin(Settings(otlp_endpoint="http://127.0.0.1:4318"), "serve")


def test_the_standard_variable_switches_them_on_and_ours_off_again() -> None:
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert Settings.from_environment(standard).otlp_endpoint == "http://collector:4318"
    assert Settings.from_environment({**standard, "ECLUSE_OTLP_ENDPOINT": ""}).otlp_endpoint == ""


def test_a_batch_of_several_requests_is_linked_both_ways(told: tuple[Spans, InMemorySpanExporter]) -> None:
    spans, exporter = told
    with spans.taking("warehouse", [ONE, OTHER, QUIET, ONE, "", "nonsense"]), spans.within("map"):
        pass
    inner, whole, *each = exporter.get_finished_spans()
    assert (inner.name, whole.name, whole.parent) == ("map", "warehouse batch", None)
    assert inner.parent is not None and inner.parent.span_id == whole.context.span_id
    assert [format(link.context.trace_id, "032x") for link in whole.links] == ["1" * 32, "2" * 32]
    for span, digit, events in zip(each, "12", (2, 1), strict=True):
        assert (span.name, span.attributes) == ("warehouse", {"messaging.batch.message_count": events})
        assert format(span.context.trace_id, "032x") == digit * 32
        assert span.parent is not None and format(span.parent.span_id, "016x") == digit * 16
        assert [link.context.span_id for link in span.links] == [whole.context.span_id]
        assert (span.start_time, span.end_time) >= (whole.start_time, 0)


def test_what_fails_is_told_by_its_kind_alone(told: tuple[Spans, InMemorySpanExporter]) -> None:
    spans, exporter = told
    with pytest.raises(ValueError, match="Zabulon"), spans.sending("relay send", [ONE]):
        raise ValueError("Zabulon is in hospital")
    (span,) = exporter.get_finished_spans()
    assert (span.status.is_ok, span.status.description, span.events) == (False, "ValueError", ())


def test_work_that_no_request_asked_for_is_no_trace(told: tuple[Spans, InMemorySpanExporter]) -> None:
    spans, exporter = told
    with spans.within("transaction"), spans.taking("warehouse", ["", QUIET]):
        pass
    assert exporter.get_finished_spans() == ()


def test_work_in_the_background_is_a_trace_of_its_own(told: tuple[Spans, InMemorySpanExporter]) -> None:
    spans, exporter = told
    assert spans.carried() == ""
    with spans.taking("warehouse", [ONE]), spans.work("export job"), spans.within("transaction"):
        carried = spans.carried()
    inner, job, taken = exporter.get_finished_spans()
    assert (inner.name, job.name, job.parent, taken.name) == ("transaction", "export job", None, "warehouse")
    assert inner.context.trace_id == job.context.trace_id != taken.context.trace_id
    assert carried.startswith(f"00-{inner.context.trace_id:032x}-{inner.context.span_id:016x}-")
