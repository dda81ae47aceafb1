"""What the documents say about the code is so."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import yaml
from click import Group

from ecluse.cli.cli import main
from ecluse.core import errors
from ecluse.core.settings import Settings

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
COMMAND = re.compile(r"(?:`|^    |&& )ecluse ([a-z-]+)(?: ([a-z-]+(?:\\\|[a-z-]+)*))?", re.MULTILINE)
"""`ecluse dead-letters list`, or with several words of a group."""


def test_every_error_has_its_row_with_its_status_and_its_retry() -> None:
    lines = (ROOT / "docs/errors.md").read_text().splitlines()
    rows = {line.split("|")[2].strip(): line for line in lines if re.match(r"\| \d", line)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EcluseError)]
    answers = {kind.__name__: kind for kind in kinds} | {"any other": errors.EcluseError}
    for name in ("EcluseError", "Fenced", "Unmappable"):  # the root, and what only consumers raise
        del answers[name]
    assert answers.keys() == rows.keys()
    for name, kind in answers.items():
        status, _, code, retry, _ = (cell.strip() for cell in rows[name].strip("|").split("|", 4))
        assert (int(status), retry) == (kind.status, "yes" if kind.retry else "no"), name
        assert kind.code in code.split(", "), name


def _commands(document: Path) -> set[tuple[str, str]]:
    """The commands that a document names: (dsn, ""), or with the word of a group, (site, add)."""
    found = COMMAND.findall(document.read_text())
    return {
        (name, word if isinstance(main.commands[name], Group) else "")
        for name, words in found
        for word in words.split("\\|")
    }


def test_the_documents_name_commands_that_there_are_and_the_readme_all_of_them() -> None:
    there = {(name, word) for name, command in main.commands.items() for word in getattr(command, "commands", [""])}
    groups = {(name, "") for name, _ in there}
    for document in DOCUMENTS:
        assert _commands(document) <= there | groups, document
    assert _commands(ROOT / "README.md") - groups == there - groups
    assert {name for name, _ in _commands(ROOT / "README.md")} == main.commands.keys()


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\bECLUSE_[A-Z_]+", text))
    known = {f"ECLUSE_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    assert used
    assert used <= known


def test_the_compose_file_has_each_part_and_publishes_on_this_machine_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {"postgres", "kafka", "serve", "relay", "warehouse", "search"} <= services.keys()
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_starts_without_a_profile_needs_no_file_that_is_not_here() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    started = {name: service for name, service in services.items() if "profiles" not in service}
    assert not [name for name in started if name.startswith("hub-")], "a project's consumer ends without its file"
    assert all(set(service.get("depends_on", ())) <= started.keys() for service in started.values())


def test_links_begin_where_the_server_is_published_and_bodies_are_fetched_inside() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (published,) = services["serve"]["ports"]
    outside = f"${{ECLUSE_BASE_URL:-http://{published.rpartition(':')[0]}}}"
    based = {
        name: each["environment"]["ECLUSE_BASE_URL"] for name, each in services.items() if each.get("build") == "."
    }
    assert based.pop("relay") == f"http://serve:{services['serve']['environment']['ECLUSE_PORT']}"
    assert set(based) == {"serve", "warehouse", "search", "hub-example"} and set(based.values()) == {outside}


def test_monitoring_comes_with_its_profile_and_finds_its_files() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    watching = {name for name, service in services.items() if service.get("profiles") == ["monitoring"]}
    assert watching == {"prometheus", "grafana", "jaeger"}
    mounted = [volume.split(":") for name in watching for volume in services[name].get("volumes", [])]
    inside = {target: ROOT / source for source, target, *_ in mounted if source.startswith("./deploy/")}
    assert len(inside) == 3
    assert all(source.exists() for source in inside.values())
    rules = inside["/etc/prometheus"] / "prometheus.yml"
    scrape = yaml.safe_load(rules.read_text())
    assert [(rules.parent / name).exists() for name in scrape["rule_files"]] == [True]
    port = services["serve"]["environment"]["ECLUSE_PORT"]
    assert scrape["scrape_configs"][0]["static_configs"][0]["targets"] == [f"serve:{port}"]


def test_grafana_is_given_the_dashboard_and_services_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = (provisioning / "datasources").iterdir()
    urls = {one["name"]: one["url"] for one in yaml.safe_load(source.read_text())["datasources"]}
    assert {url.split("/")[2].split(":")[0] for url in urls.values()} <= services.keys()
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "ecluse.yaml").read_text())["providers"]
    folder = provider["options"]["path"]
    targets = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert f"{folder}/ecluse.json" in targets
    environment = services["grafana"]["environment"]
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in targets
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not [name for name in environment if "PASSWORD" in name]


def test_the_readme_is_short_and_opens_with_what_it_does() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert lines[0] == "# Écluse"
    assert any(line.strip().startswith("make demo") for line in lines)
    assert any(line.strip().startswith("make test") for line in lines)
