"""Addresses in Azure Blob storage."""

import pytest
from azurite import ACCOUNT, KEY, Azurite, azurite

from pianoroll_seq2seq import AzureBlobStore
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.stores.azure_blob.urls import BlobUrl

__all__ = ["azurite"]
ACME = "https://acme.blob.core.windows.net"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (f"{ACME}/music", (ACME, "music", "")),
        (f"{ACME}/music/", (ACME, "music", "")),
        (f"{ACME}/music/runs/7/best.safetensors", (ACME, "music", "runs/7/best.safetensors")),
        (f"{ACME}/music/C%23%20major", (ACME, "music", "C# major")),
        ("http://127.0.0.1:10000/devstore/music/7", ("http://127.0.0.1:10000/devstore", "music", "7")),
    ],
)
def test_the_parts_of_an_address(url: str, parts: tuple[str, str, str]) -> None:
    """An address that was copied from the portal leads elsewhere."""
    found = BlobUrl.parse(url)
    assert (found.account_url, found.container, found.path) == parts
    assert str(found) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "music",
        f"{ACME}/",
        f"{ACME}/music//7",
        "http://acme.blob.core.windows.net/music",
        "https:///music",
        "https://[acme/music",
        f"{ACME}:port/music",
        f"{ACME}/music/../other",
        f"{ACME}/music/./7",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="https://ACCOUNT"):
        BlobUrl.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        f"{ACME}/music?sv=1&sig=c2VjcmV0",
        "https://u:c2VjcmV0@acme.blob.core.windows.net/m/",
        "https://:c2VjcmV0@acme.blob.core.windows.net/m/",
    ],
)
def test_an_address_with_a_secret_is_refused(url: str) -> None:
    """The secret gets into logs and arguments."""
    with pytest.raises(SettingsError, match="must not contain a signature or a password") as refused:
        BlobUrl.parse(url)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_store_by_its_address(azurite: Azurite) -> None:
    container = azurite.new_container()
    url = f"{azurite.url}/{container}/runs/7"
    with AzureBlobStore.from_url(url, account_name=ACCOUNT, account_key=KEY) as store:
        store.create_container()
        store.put("notes.txt", b"good")
    with azurite.container_client(container) as client:
        assert [blob.name for blob in client.list_blobs()] == ["runs/7/notes.txt"]


def test_the_identity_that_a_cluster_was_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of Azure ML has no access to the container, because it logs in as somebody else."""
    import azure.identity

    used: list[dict[str, str]] = []

    class Login:
        def __init__(self, **given: str) -> None:
            used.append(given)

        def get_token(self, *scopes: str, **options: object) -> None:
            raise AssertionError("no request is sent")

        def close(self) -> None:
            """Does nothing."""

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Login)
    for name in ("STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "AZURE_CLIENT_ID", "DEFAULT_IDENTITY_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    AzureBlobStore.from_url(f"{ACME}/music").close()
    monkeypatch.setenv("DEFAULT_IDENTITY_CLIENT_ID", "assigned")
    AzureBlobStore.from_url(f"{ACME}/music").close()
    monkeypatch.setenv("AZURE_CLIENT_ID", "explicit")  # which the credential itself reads
    AzureBlobStore.from_url(f"{ACME}/music").close()
    assert used == [{}, {"managed_identity_client_id": "assigned"}, {}]
