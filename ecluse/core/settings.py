"""All settings, in one frozen record, built once and passed down.

Enters: the environment (`ECLUSE_*`). Leaves: `Settings`. An unknown `ECLUSE_` variable stops the start, so that a
misspelt one is not a silent default. Each field has its row in docs/configuration.md, by test."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from ecluse.core.errors import EcluseError
from ecluse.core.fhir.validation.policy import read_policy, read_required


class SettingsError(EcluseError):
    """A setting is unknown or cannot be read."""


class SecretStr:
    """A string that does not show itself in logs, tracebacks or `ecluse config`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "SecretStr('***')" if self._value else "SecretStr('')"

    def __str__(self) -> str:
        return "***" if self._value else ""

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


MOST = 2**53
ADDRESSES = ("http://", "https://")
"""How the address of a server begins."""
DATABASES = ("postgres://", "postgresql://")
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where OpenTelemetry's own programs read the address of their collector."""


_HOST = re.compile(r"[^\s/@?#]*")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,150}")
"""What Kafka takes; with the longest resource type a name stays below its 249 letters."""


def _setting(
    default: Any, sentence: str, unit: str = "", choices: Sequence[str] = (), *, least: int = 0, most: int = MOST
) -> Any:
    """least, most: bounds of a number"""
    told = {"sentence": sentence, "unit": unit, "choices": choices, "least": least, "most": most}
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set; the variable of `host` is `ECLUSE_HOST`."""

    data: Path = _setting(Path("data"), "Folder of the embedded database, the text index and keys.", "path")
    host: str = _setting("127.0.0.1", "Address the HTTP server binds; nothing opens by itself.")
    port: int = _setting(8080, "Port of the HTTP server.", most=65_535)
    workers: int = _setting(2, "HTTP server processes.", least=1)
    base_url: str = _setting(
        "", "Address under which clients and consumers reach the server; empty: http://HOST:PORT.", "url"
    )
    database_url: SecretStr = _setting(SecretStr(""), "PostgreSQL of the store; empty: the embedded one.", "url")
    identity_url: SecretStr = _setting(SecretStr(""), "PostgreSQL of the identities; empty: the store's.", "url")
    warehouse_url: SecretStr = _setting(SecretStr(""), "PostgreSQL of the warehouse; empty: the store's.", "url")
    hub_url: SecretStr = _setting(SecretStr(""), "PostgreSQL of the hub; empty: the store's.", "url")
    pool_size: int = _setting(8, "Database connections of one process, and as many again for searches.", least=1)
    max_body_bytes: int = _setting(64 * 1024 * 1024, "Largest request body after inflation.", "bytes", least=1)
    idempotency_days: int = _setting(7, "How long an Idempotency-Key gets its first answer again.", "days")
    intake_days: int = _setting(90, "How long the intake keeps requests that wrote nothing, refused ones too.", "days")
    statement_timeout_ms: int = _setting(60_000, "Longest statement of a request.", "ms")
    search_timeout_ms: int = _setting(10_000, "Longest time that a search may take in the database.", "ms")
    search_total_ms: int = _setting(
        2_000, "Longest time that _total=accurate may count; after it the answer comes without a total.", "ms"
    )
    search_explain: str = _setting(
        "off", "Whether _explain tells how a search is run: on or off.", choices=("off", "on")
    )
    search_across_sites: str = _setting(
        "off", "Whether one search may go over several sites: on or off.", choices=("off", "on")
    )
    conditional_delete: str = _setting(
        "single",
        "How many resources a conditional delete may match: single or multiple.",
        choices=("single", "multiple"),
    )
    bus: str = _setting("embedded", "Which log carries the events: embedded or kafka.", choices=("embedded", "kafka"))
    kafka_bootstrap: str = _setting("", "Kafka brokers, host:port,host:port.")
    kafka_protocol: str = _setting(
        "plaintext",
        "How Kafka is spoken to: plaintext, ssl, sasl_plaintext or sasl_ssl.",
        choices=("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
    )
    kafka_ca: Path = _setting(
        Path(""), "Certificates that vouch for the brokers, in PEM; empty: those of the system.", "path"
    )
    kafka_certificate: Path = _setting(Path(""), "Own certificate for brokers that ask for one, in PEM.", "path")
    kafka_key: Path = _setting(Path(""), "Its private key, in PEM.", "path")
    kafka_key_password: SecretStr = _setting(SecretStr(""), "Of the private key, if it has one.")
    kafka_sasl: str = _setting(
        "SCRAM-SHA-512",
        "With sasl_*: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    )
    kafka_username: str = _setting("", "With sasl_*: who this is.")
    kafka_password: SecretStr = _setting(SecretStr(""), "With sasl_*: its password.")
    kafka_prefix: str = _setting("", "Put before every topic name.")
    kafka_partitions: int = _setting(8, "Partitions of each topic when it is created.", least=1)
    kafka_replication: int = _setting(1, "Replicas of each topic when it is created.", least=1)
    kafka_retention_days: int = _setting(14, "How long topics of events keep them.", "days")
    omop_note_text: str = _setting(
        "empty", "What note.note_text holds: empty or identified.", choices=("empty", "identified")
    )
    hub_projects: Path = _setting(Path("hub"), "Folder of the hub projects, one YAML file each.", "path")
    hub_master_key_file: Path = _setting(
        Path(""), "File of the master key for pseudonyms; empty: DATA/hub/master.key, made at first start.", "path"
    )
    validation: str = _setting(
        "base",
        "How deep resources are checked: structure, base or profiles, with +flag to store what does not pass and its "
        "issues; then exceptions, as in `base Observation=profiles+flag north/Patient=structure`.",
    )
    profiles: str = _setting(
        "", "Profiles that apply without being named: Type=URL, north/Type=URL for one site, with spaces between."
    )
    bulk_folder: Path = _setting(
        Path(""), "Folder of the files of bulk jobs, seen by every server process; empty: DATA/bulk.", "path"
    )
    bulk_jobs: int = _setting(
        2, "Bulk exports and imports that run at once, over all server processes; others wait.", least=1
    )
    bulk_keep_s: int = _setting(86_400, "How long the files of an ended bulk job are kept.", "s")
    bulk_max_bytes: int = _setting(
        64 * 1024 * 1024 * 1024, "Largest file that $import takes, after inflation.", "bytes"
    )
    import_hosts: str = _setting("", "Hosts that $import may fetch from, HOST or HOST:PORT by commas; empty: none.")
    import_private: str = _setting(
        "refused",
        "Whether those hosts may have private or local addresses: refused or allowed.",
        choices=("refused", "allowed"),
    )
    wait_s: int = _setting(10, "How long a read or search with X-Ecluse-Wait waits for consumers.", "s")
    dead_letters_days: int = _setting(90, "How long a dead letter is kept after it last failed.", "days")
    events_days: int = _setting(7, "How long events are kept that every reader of the outbox has passed.", "days")
    events_budget_bytes: int = _setting(
        16 * 1024 * 1024 * 1024,
        "What the outbox may take on the disk before events go earlier and slow readers are left behind, and told.",
        "bytes",
    )
    alarm_s: int = _setting(
        60, "How long a writer may hold the readers of events back, or an event wait for Kafka, without an alarm.", "s"
    )
    events_streams: int = _setting(
        100, "Readers whom one server process sends events as they come; a further one gets 429."
    )
    events_heartbeat_s: int = _setting(
        15, "How often a reader of a quiet stream of events hears from it.", "s", least=1
    )
    events_slow_s: int = _setting(
        30,
        "How long a reader of a stream of events may take nothing of what is sent, before the stream ends.",
        "s",
        least=1,
    )
    subscriptions: str = _setting(
        "off", "Whether `ecluse up` runs the consumer that notifies by FHIR Subscriptions.", choices=("off", "on")
    )
    hook_hosts: str = _setting(
        "", "Hosts of hooks that may be private or without https, HOST or HOST:PORT by commas; empty: none."
    )
    cors_origins: str = _setting(
        "",
        "Web pages that may call FHIR and /events: https://app.example,https://other.example, or *; empty: none.",
    )
    otlp_endpoint: str = _setting(
        "", "Collector that gets traces, OTLP over HTTP; empty: OTEL_EXPORTER_OTLP_ENDPOINT, without both none.", "url"
    )
    log_level: str = _setting(
        "info", "Least level of the logs: info, warning or error.", choices=("info", "warning", "error")
    )

    def __post_init__(self) -> None:
        """Raises: SettingsError when a value is none of its choices, or out of bounds"""
        for setting in dataclasses.fields(self):
            _check(f"ECLUSE_{setting.name.upper()}", getattr(self, setting.name), setting.metadata)
        if self.base_url and not self.base_url.startswith(ADDRESSES):
            raise SettingsError(f"ECLUSE_BASE_URL={self.base_url!r} begins with neither {' nor '.join(ADDRESSES)}")
        for name in ("database_url", "identity_url", "warehouse_url", "hub_url"):
            address = getattr(self, name)
            if address and not address.reveal().startswith(DATABASES):
                raise SettingsError(f"ECLUSE_{name.upper()} is no address like postgresql://USER@HOST:PORT/DATABASE")
        if self.kafka_protocol.startswith("sasl_") and not (self.kafka_username and self.kafka_password):
            raise SettingsError(
                f"ECLUSE_KAFKA_PROTOCOL={self.kafka_protocol} needs ECLUSE_KAFKA_USERNAME and ECLUSE_KAFKA_PASSWORD"
            )
        if not _PREFIX.fullmatch(self.kafka_prefix):
            text = "is no beginning of topic names: letters, digits, `.`, `_` and `-`, at most 150"
            raise SettingsError(f"ECLUSE_KAFKA_PREFIX={self.kafka_prefix!r} {text}")
        if wrong := [host for host in self.hook_hosts.split(",") if not _HOST.fullmatch(host.strip())]:
            text = f"{wrong[0]!r} is no HOST or HOST:PORT; neither a scheme nor a path belongs to it"
            raise SettingsError(f"ECLUSE_HOOK_HOSTS: {text}")
        try:
            read_policy(self.validation)
            read_required(self.profiles)
        except ValueError as error:
            raise SettingsError(f"ECLUSE_VALIDATION, ECLUSE_PROFILES: {error}") from error

    def carried(self) -> Settings:
        """These, for what reads or writes the bus.

        Raises: SettingsError when nobody named the brokers of a Kafka, or a certificate for it is not there"""
        if self.bus == "kafka":
            self.brokers()
            for name in ("kafka_ca", "kafka_certificate", "kafka_key"):
                file = getattr(self, name)
                if file != Path() and not file.is_file():
                    raise SettingsError(f"ECLUSE_{name.upper()}: there is no file {file}.")
        return self

    def brokers(self) -> str:
        """The Kafka brokers, for what cannot do without.

        Raises: SettingsError when nobody named them"""
        if not self.kafka_bootstrap:
            raise SettingsError("Set ECLUSE_KAFKA_BOOTSTRAP to the brokers, host:port,host:port.")
        return self.kafka_bootstrap

    @property
    def url(self) -> str:
        """Address under which clients reach the server, without a final slash."""
        return self.base_url.rstrip("/") or f"http://{self.host}:{self.port}"

    def base(self, site: str) -> str:
        """The FHIR base of a site."""
        return fhir_base(self.url, site)

    def bases(self, site: str) -> tuple[str, ...]:
        """What addresses of a site's resources may begin with, each with its last slash."""
        own = f"{self.url}/sites/{site}/fhir/"
        return (own, f"{self.url}/fhir/") if site == "default" else (own,)

    def variables(self) -> dict[str, str]:
        """The environment of a child process with these settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
        given = {
            f"ECLUSE_{f.name.upper()}": getattr(self, f.name)
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        }
        return kept | {
            name: value.reveal() if isinstance(value, SecretStr) else str(value) for name, value in given.items()
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """The settings of this process; `given` (from the command line) wins over the environment.

        Raises: SettingsError when a variable is unknown or is not of its type
        """
        found = os.environ if environment is None else environment
        types = get_type_hints(cls)
        names = {f"ECLUSE_{f.name.upper()}": f.name for f in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        if collector := found.get(COLLECTOR):
            values["otlp_endpoint"] = collector
        for variable, text in found.items():
            if not variable.startswith("ECLUSE_"):
                continue
            if variable not in names:
                near = difflib.get_close_matches(variable, names, 1)
                raise SettingsError(
                    f"{variable} is not a setting"
                    + (f"; did you mean {near[0]}?" if near else "; see docs/configuration.md")
                )
            values[names[variable]] = _read(variable, text, types[names[variable]])
        values.update({k: v for k, v in given.items() if v is not None})
        return cls(**values)


def _check(variable: str, value: Any, told: Mapping[str, Any]) -> None:
    if told["choices"] and value not in told["choices"]:
        raise SettingsError(f"{variable}={value!r} is none of {', '.join(told['choices'])}")
    if isinstance(value, int) and not told["least"] <= value <= told["most"]:
        bound = f"at least {told['least']}" if value < told["least"] else f"at most {told['most']}"
        raise SettingsError(f"{variable}={value} is out of bounds: write {bound}")


def _read(variable: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(
            f"{variable}={text!r} is not {'a whole number' if kind is int else f'a {kind.__name__}'}"
        ) from error


def fhir_base(address: str, site: str) -> str:
    """The FHIR base of a site of the server at this address, which ends without a slash."""
    return f"{address}/fhir" if site == "default" else f"{address}/sites/{site}/fhir"
