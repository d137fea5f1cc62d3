"""Fixtures that the tests of stores share."""

from collections.abc import Iterator
from typing import Any

import pytest
from azurite import Azurite, azurite
from stores.blobs import BLOCK

from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore

__all__ = ["azurite"]


@pytest.fixture
def store(azurite: Azurite) -> Iterator[AzureBlobStore]:
    with AzureBlobStore(azurite.new_container(), **azurite.arguments(), block_bytes=BLOCK) as store:
        store.create_container()
        yield store


@pytest.fixture
def client(azurite: Azurite, store: AzureBlobStore) -> Iterator[Any]:
    """A client of Azure's own, for the same container."""
    with azurite.container_client(store.container) as client:
        yield client


@pytest.fixture
def no_waiting(azurite: object, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that Azure's client would wait between its attempts; here it does not wait."""
    from azure.core.pipeline.transport import HttpTransport

    waited: list[float] = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda self, duration: waited.append(duration))
    return waited
