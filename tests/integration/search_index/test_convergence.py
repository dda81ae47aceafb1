"""However often and in whatever order reports and Binaries arrive, the same is found and the books say the same."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.search_index.feeding import Feeding, Told, binary, pointing, report, told

WORDS = ("fièvre", "toux", "œdème", "douleur")
DOCUMENTS, BINARIES = ("d1", "d2"), ("b1", "b2", "b3")
CONTENTS = st.sampled_from(WORDS) | st.lists(st.sampled_from(BINARIES), min_size=1, max_size=2, unique=True)
VERSIONS = st.none() | st.sampled_from(["pdf", "error", "broken"]) | CONTENTS
HISTORIES = st.lists(VERSIONS, min_size=1, max_size=4)


class Delivery(NamedTuple):
    """Histories of documents and Binaries, and the chance that shuffles, doubles and cuts them."""

    documents: list[list[Any]]
    binaries: list[list[Any]]
    seed: int

    def versions(self) -> list[Told]:
        """Every version, in order."""
        return [
            _version(kind, resource_id, number, content)
            for kind, ids, histories in (("d", DOCUMENTS, self.documents), ("b", BINARIES, self.binaries))
            for resource_id, history in zip(ids, histories, strict=True)
            for number, content in enumerate(history, 1)
        ]

    def batches(self) -> list[list[Told]]:
        """Every version at least once, in any order, in any cut."""
        chance = random.Random(self.seed)
        versions = self.versions()
        versions += chance.choices(versions, k=chance.randint(0, len(versions)))
        chance.shuffle(versions)
        cuts = sorted(chance.choices(range(len(versions) + 1), k=4))
        return [versions[low:high] for low, high in zip([0, *cuts], [*cuts, len(versions)], strict=True)]


def _version(kind: str, resource_id: str, number: int, content: Any) -> Told:
    if kind == "b":
        text = content if isinstance(content, str) else "douleur"
        made = binary(resource_id, text, "application/pdf" if content == "pdf" else "text/plain")
        if content == "broken":
            made["data"] = "%"
    elif isinstance(content, list):
        made = pointing(resource_id, *content)
    else:
        made = report(resource_id, content or "", status="entered-in-error" if content == "error" else "current")
        made["content"][0]["attachment"] |= {"contentType": "application/pdf"} if content == "pdf" else {}
        made["content"][0]["attachment"] |= {"data": "%"} if content == "broken" else {}
    made.pop("subject", None)
    return told(made, number)._replace(**({"resource": None} if content is None else {}))


async def _state(feeding: Feeding) -> tuple[Any, ...]:
    hits = {word: [(hit.key, hit.snippet_html) for hit in feeding.search(word).hits] for word in WORDS}
    pool = feeding.databases.store
    kept = [await pool.fetch(f"SELECT * FROM search.{table} ORDER BY 1, 2, 3, 4") for table in TABLES]
    return {word: sorted(found) for word, found in hits.items()}, await feeding.books(), kept


TABLES = ("document", "link", "binary_text")


async def _empty(feeding: Feeding) -> None:
    feeding.sink._index.clear()
    await feeding.databases.store.execute(
        "UPDATE search.generation SET generation = $1", feeding.sink._index.generation
    )
    await feeding.databases.store.execute(
        "TRUNCATE bus.ledger, bus.dead_letter, search.document, search.link, search.binary_text"
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Delivery,
        st.tuples(*[HISTORIES] * len(DOCUMENTS)).map(list),
        st.tuples(*[HISTORIES] * len(BINARIES)).map(list),
        st.integers(0, 1000),
    )
)
async def test_any_redelivery_and_reordering_ends_alike(feeding: Feeding, delivery: Delivery) -> None:
    states = []
    for batches in ([[version] for version in delivery.versions()], delivery.batches()):
        await _empty(feeding)
        await feeding.tell(*batches)
        states.append(await _state(feeding))
    assert states[0] == states[1]
