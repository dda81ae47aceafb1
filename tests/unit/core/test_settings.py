"""Settings: what stops the start, what stays hidden, and that each one is documented."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ecluse.core.settings import SecretStr, Settings, SettingsError

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def default_text(value: object) -> str:
    """A default as the document shows it."""
    text = "" if isinstance(value, SecretStr) or value == Path("") else str(value)
    return f"`{text}`" if text else ""


def rows() -> list[str]:
    """The table that the document must have."""
    return [
        f"| `ECLUSE_{setting.name.upper()}` | {default_text(setting.default)} "
        f"| {setting.metadata['unit']} | {setting.metadata['sentence']} |"
        for setting in dataclasses.fields(Settings)
    ]


def test_every_setting_has_its_row_and_every_row_its_setting() -> None:
    documented = re.findall(r"^\| `ECLUSE_.*\|$", DOCUMENT.read_text(), re.MULTILINE)
    assert documented == rows()


def test_an_unknown_variable_stops_the_start_and_the_nearest_is_named() -> None:
    with pytest.raises(SettingsError, match="ECLUSE_DATABASE_ULR is not a setting; did you mean ECLUSE_DATABASE_URL"):
        Settings.from_environment({"ECLUSE_DATABASE_ULR": "x"})


def test_variables_of_other_programs_are_left_alone() -> None:
    assert Settings.from_environment({"HOME": "/nowhere", "PGHOST": "x"}) == Settings()


def test_values_are_read_by_type() -> None:
    settings = Settings.from_environment(
        {"ECLUSE_PORT": "81", "ECLUSE_DATA": "/srv/x", "ECLUSE_DATABASE_URL": "postgresql:///x"}
    )
    assert (settings.port, settings.data, settings.database_url.reveal()) == (81, Path("/srv/x"), "postgresql:///x")


def test_the_command_line_wins_over_the_environment() -> None:
    assert Settings.from_environment({"ECLUSE_PORT": "81"}, port=82, data=None).port == 82


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("ECLUSE_PORT", "http", "ECLUSE_PORT='http' is not a whole number"),
        ("ECLUSE_BUS", "rabbit", "ECLUSE_BUS='rabbit' is none of embedded, kafka"),
        ("ECLUSE_OMOP_NOTE_TEXT", "all", "ECLUSE_OMOP_NOTE_TEXT='all' is none of empty, identified"),
    ],
)
def test_a_value_that_cannot_be_read_stops_the_start(variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        Settings.from_environment({variable: value})


def test_secrets_do_not_show_themselves() -> None:
    settings = Settings.from_environment({"ECLUSE_DATABASE_URL": "postgresql://a:geheim@b/c"})
    assert "geheim" not in repr(settings)
    assert "geheim" not in f"{settings.database_url}"


def test_a_child_process_gets_the_same_settings() -> None:
    settings = Settings(port=81, database_url=SecretStr("postgresql:///x"), data=Path("/srv/x"))
    assert Settings.from_environment(settings.variables()) == settings


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ECLUSE_WORKERS", "0", "at least 1"),
        ("ECLUSE_POOL_SIZE", "-1", "at least 1"),
        ("ECLUSE_PORT", "99999999", "at most 65535"),
        ("ECLUSE_EVENTS_DAYS", "-1", "at least 0"),
        ("ECLUSE_EVENTS_HEARTBEAT_S", "0", "at least 1"),
        ("ECLUSE_EVENTS_SLOW_S", "0", "at least 1"),
        ("ECLUSE_KAFKA_PREFIX", "a b/", "no beginning of topic names"),
        ("ECLUSE_HOOK_HOSTS", "hook.example:8443,http://hook.example", "neither a scheme nor a path"),
        ("ECLUSE_BASE_URL", "foo", "http://"),
        ("ECLUSE_DATABASE_URL", "foo", "postgresql://"),
    ],
)
def test_a_value_that_nothing_can_run_with_is_refused(variable: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        Settings.from_environment({variable: value})
    assert variable in str(error.value)


def test_a_secret_that_is_printed_is_stars() -> None:
    assert (str(SecretStr("x")), str(SecretStr(""))) == ("***", "")


def test_kafka_without_brokers_is_told_before_anything_waits_for_them() -> None:
    with pytest.raises(SettingsError, match="ECLUSE_KAFKA_BOOTSTRAP"):
        Settings(bus="kafka").carried()
    settings = Settings(bus="kafka", kafka_bootstrap="kafka:9092")
    assert (settings.carried(), Settings().carried()) == (settings, Settings())


def test_a_certificate_that_is_not_there_is_told_before_a_broker_is_called(tmp_path: Path) -> None:
    there = tmp_path / "ca.pem"
    there.touch()
    settings = Settings(bus="kafka", kafka_bootstrap="kafka:9092", kafka_ca=there)
    assert settings.carried() is settings
    with pytest.raises(SettingsError, match="ECLUSE_KAFKA_KEY: there is no file"):
        dataclasses.replace(settings, kafka_key=tmp_path / "none.pem").carried()
