"""A broker that asks for TLS and a password."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from ecluse.bus.broker import Broker as Topics
from ecluse.bus.broker import client, layout
from ecluse.core.errors import Unavailable
from ecluse.core.settings import SecretStr, Settings, SettingsError
from tests.integration.bus.store import Put, put
from tests.integration.bus.test_topic_contract import read_all, relaying
from tests.services.kafka import Broker
from tests.spec.files import certificate

SECURED = """listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://localhost:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="own" user_broker="own" user_ecluse="four words are better";
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
ssl.truststore.type=PEM
ssl.truststore.location={certificate}
"""


async def test_events_reach_a_broker_that_asks_for_tls_and_a_password(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(tmp_path / "kafka")
    own = certificate(tmp_path, "localhost")
    controller = broker.voter.rpartition(":")[2]
    told = SECURED.format(port=broker.port, controller=controller, certificate=own)
    (broker.folder / "more.properties").write_text(told)
    settings = Settings(
        bus="kafka",
        kafka_bootstrap=f"localhost:{broker.port}",
        kafka_partitions=2,
        kafka_protocol="sasl_ssl",
        kafka_ca=own,
        kafka_sasl="PLAIN",
        kafka_username="ecluse",
        kafka_password=SecretStr("four words are better"),
    )
    try:
        broker.start()
        async with pool.acquire() as conn:
            await put(conn, [Put("Patient", "p", {})])
        async with relaying(settings, pool):
            (record,) = await asyncio.to_thread(read_all, settings, "fhir.patient.v1")
        assert record.key == b"default/Patient/p"
        monkeypatch.setattr("ecluse.bus.broker.TIMEOUT_S", 2.0)
        for wrong in (replace(settings, kafka_password=SecretStr("guessed")), replace(settings, kafka_ca=Path(""))):
            with pytest.raises(Unavailable):
                await Topics(wrong, pool, await layout(wrong, pool)).ensure(["Encounter"])
    finally:
        broker.stop()


def test_what_is_not_set_is_left_to_the_library() -> None:
    assert client(Settings())["security.protocol"] == "plaintext"
    mutual = Settings(
        kafka_protocol="ssl",
        kafka_certificate=Path("own.pem"),
        kafka_key=Path("own.key"),
        kafka_key_password=SecretStr("x"),
    )
    told = {name: text for name, text in client(mutual).items() if name.startswith(("ssl.", "sasl."))}
    assert told == {"ssl.certificate.location": "own.pem", "ssl.key.location": "own.key", "ssl.key.password": "x"}


def test_sasl_without_a_name_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="ECLUSE_KAFKA_USERNAME"):
        Settings(kafka_protocol="sasl_ssl")
