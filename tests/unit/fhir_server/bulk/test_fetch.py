"""Which hosts may be asked for files."""

from __future__ import annotations

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.settings import Settings
from fhir_server.bulk import fetch

SETTINGS = Settings(import_hosts="lab.example.org, store.example.org:9000,10.0.0.5")


@pytest.mark.parametrize(
    "url",
    [
        "https://lab.example.org/x.ndjson?sig=1",
        "http://lab.example.org:8080/x",
        "https://LAB.example.org/x",
        "http://store.example.org:9000/x",
        "http://10.0.0.5/x",
    ],
)
def test_a_listed_host_may_be_asked(url: str) -> None:
    assert str(fetch.check(SETTINGS, url).path)


@pytest.mark.parametrize(
    "url",
    [
        "https://lab.example.org.evil.example/x",
        "https://evil.example/lab.example.org",
        "https://lab.example.org@evil.example/x",
        "https://user@lab.example.org/x",
        "http://store.example.org/x",
        "http://store.example.org:9001/x",
        "file://lab.example.org/x",
        "lab.example.org/x",
        "https:///x",
        "https://lab.example.org\\@evil.example/x",
        "http://10.0.0.50/x",
        "",
    ],
)
def test_another_one_may_not(url: str) -> None:
    with pytest.raises(Unprocessable):
        fetch.check(SETTINGS, url)


def test_nobody_may_be_asked_unless_somebody_is_listed() -> None:
    with pytest.raises(Unprocessable):
        fetch.check(Settings(), "https://lab.example.org/x")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:127.0.0.1", "0.0.0.0"],
)
async def test_a_private_or_local_address_is_refused_before_anything_is_sent(host: str) -> None:
    name = f"[{host}]" if ":" in host else host
    settings = Settings(import_hosts=host.partition("%")[0] + "," + host)
    with pytest.raises(Unprocessable):
        async for _ in fetch.fetch(settings, f"http://{name}:9/x"):
            pass
