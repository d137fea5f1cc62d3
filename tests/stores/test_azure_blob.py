"""The store in Azure Blob storage, against Azurite: its errors, and objects of other programs."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from azurite import ACCOUNT, OTHER_KEY, Azurite
from stores.blobs import BLOCK, parts, some_bytes
from stores.cutting_proxy import UNAVAILABLE, cutting_proxy

from pianoroll_seq2seq.errors import (
    NotStoredError,
    SettingsError,
    StoreAccessError,
    StoreError,
)
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore


class TestContainer:
    def test_is_private_and_created_once(self, store: AzureBlobStore, client: Any) -> None:
        """Anybody can read the weights, or the second run fails because the container exists."""
        store.create_container()
        assert client.get_container_properties().public_access is None

    def test_the_error_names_a_missing_container(self, azurite: Azurite, tmp_path: Path) -> None:
        """The error says that the object is missing, or the list is empty."""
        with AzureBlobStore("not-made", **azurite.arguments(), block_bytes=BLOCK) as store:
            for call in (
                lambda: store.put("key", b"1"),
                lambda: store.put("key", b"1" * 3000),
                lambda: store.get("key"),
                lambda: store.find("key"),
                lambda: store.delete("key"),
                lambda: list(store.list()),
                lambda: store.download("key", tmp_path / "copy"),
            ):
                with pytest.raises(NotStoredError, match=r"not-made.*create_container\(\)"):
                    call()

    def test_the_error_names_a_wrong_key(self, azurite: Azurite, store: AzureBlobStore, tmp_path: Path) -> None:
        """A rotated key looks like a network error."""
        wrong = azurite.arguments() | {"account_key": OTHER_KEY}
        with AzureBlobStore(store.container, **wrong, block_bytes=BLOCK) as other:
            for call in (
                lambda: other.put("key", b"1"),
                lambda: other.put("key", b"1" * 3000),
                lambda: other.get("key"),
                lambda: other.find("key"),
                lambda: other.delete("key"),
                lambda: list(other.list()),
                lambda: other.download("key", tmp_path / "copy"),
                other.create_container,
            ):
                with pytest.raises(StoreAccessError, match="Check the account's name and key"):
                    call()
                with pytest.raises(PermissionError):
                    call()

    def test_objects_outside_the_prefix_are_not_visible(self, store: AzureBlobStore) -> None:
        """A run reads, lists or deletes the files of another."""
        store.put("runs/7/mine", b"7")
        store.put("runs/70/theirs", b"70")
        inner = store.with_prefix("runs").with_prefix("7")
        assert repr(inner) == f"AzureBlobStore({store.container!r}, prefix='runs/7', account_name={ACCOUNT!r})"
        assert [stored.key for stored in inner.list()] == ["mine"]
        assert inner.find("theirs") is None
        with pytest.raises(SettingsError):
            inner.get("../70/theirs")
        inner.close()  # which closes nothing of the other
        assert store.get("runs/70/theirs") == b"70"

    def test_many_objects_are_listed_page_by_page(self, store: AzureBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Objects of the second page are missed."""
        from azure.storage.blob import ContainerClient

        real = ContainerClient.list_blobs
        monkeypatch.setattr(ContainerClient, "list_blobs", lambda *a, **k: real(*a, **k, results_per_page=3))
        keys = [f"{number:02d}" for number in range(10)]
        for key in keys:
            store.put(key, b"")
        assert [stored.key for stored in store.list()] == keys


class TestOtherPrograms:
    def test_objects_without_our_checksum(self, store: AzureBlobStore, client: Any, tmp_path: Path) -> None:
        """Objects of another program cannot be read, or are read without a check."""
        data = some_bytes(3000)
        client.upload_blob("theirs", data)
        found = store.find("theirs")
        assert found is not None
        assert found.sha256 is None
        assert store.get("theirs") == data
        assert store.download("theirs", tmp_path / "copy") == found
        client.upload_blob("odd", data, metadata={"sha256": "not a checksum"})
        assert [stored.sha256 for stored in store.list()] == [None, None]

    @pytest.mark.parametrize("kind", ["sha256", "md5"])
    def test_bytes_that_do_not_match_their_checksum(
        self, store: AzureBlobStore, client: Any, tmp_path: Path, kind: str
    ) -> None:
        """Damaged weights are loaded."""
        if kind == "sha256":
            client.upload_blob("bad", some_bytes(3000), metadata={"sha256": hashlib.sha256(b"other").hexdigest()})
        else:
            from azure.storage.blob import BlobBlock, ContentSettings

            blob = client.get_blob_client("bad")
            blob.stage_block("1", some_bytes(3000))
            blob.commit_block_list([BlobBlock("1")], ContentSettings(content_md5=bytearray(hashlib.md5(b"o").digest())))
        with pytest.raises(StoreError, match="do not match their checksum"):
            store.get("bad")
        with pytest.raises(StoreError, match="do not match their checksum"):
            store.download("bad", tmp_path / "copy")
        assert parts(tmp_path) == []

    def test_folders_of_a_data_lake_are_not_objects(self, store: AzureBlobStore, client: Any) -> None:
        """A folder is downloaded as an empty file, whose name its files then need."""
        client.upload_blob("folder", b"", metadata={"hdi_isfolder": "true"})
        store.put("folder/file", b"1")
        assert [stored.key for stored in store.list()] == ["folder/file"]

    def test_an_upload_that_another_program_has_begun(self, store: AzureBlobStore, client: Any) -> None:
        """The service's 'content is invalid' does not say what to do."""
        client.get_blob_client("key").stage_block("1", b"begun")
        with pytest.raises(StoreError, match="has begun to store an object there"):
            store.put("key", some_bytes(3000))

    def test_azure_reads_what_was_stored(self, store: AzureBlobStore, client: Any) -> None:
        """Only this library can read its objects."""
        data = some_bytes(5000)
        store.put("a b/é", data)
        blob = client.get_blob_client("a b/é")
        assert blob.download_blob().readall() == data
        properties = blob.get_blob_properties()
        assert properties.metadata["sha256"] == hashlib.sha256(data).hexdigest()
        assert bytes(properties.content_settings.content_md5) == hashlib.md5(data).digest()


class TestService:
    def test_a_request_to_a_busy_service_is_repeated(
        self, azurite: Azurite, store: AzureBlobStore, no_waiting: list[float]
    ) -> None:
        """A single 503 ends a run, or requests are repeated for ever, or without a pause."""
        with (
            cutting_proxy(azurite.port) as proxy,
            AzureBlobStore(store.container, **azurite.arguments(proxy.port), retries=3) as behind,
        ):
            proxy.answer(UNAVAILABLE)
            with pytest.raises(StoreError, match="503 ServerBusy"):
                behind.put("key", b"1")
            assert proxy.connections == 4
            assert len(no_waiting) == 3
            assert all(abs(waited - 2 ** (n + 1)) <= 1 for n, waited in enumerate(no_waiting))
            proxy.up()
            behind.put("key", b"1")

    def test_a_service_that_cannot_be_reached(self, azurite: Azurite, no_waiting: list[float], tmp_path: Path) -> None:
        """The error names a socket, but neither the object nor what to do."""
        with cutting_proxy(azurite.port) as proxy:
            port = proxy.port
        with (
            AzureBlobStore("anything", **azurite.arguments(port), block_bytes=BLOCK) as store,
            pytest.raises(StoreError, match=r"anything: 'a key': the service could not be reached.*Check the network"),
        ):
            store.put("a key", b"1" * 3000)

    def test_a_single_cut_is_not_noticed(
        self, azurite: Azurite, store: AzureBlobStore, no_waiting: list[float]
    ) -> None:
        with (
            cutting_proxy(azurite.port) as proxy,
            AzureBlobStore(store.container, **azurite.arguments(proxy.port), block_bytes=BLOCK) as behind,
        ):
            proxy.cut_after(4000, then=proxy.up)
            behind.put("key", some_bytes(5000))
            proxy.cut_after(4000, then=proxy.up)
            assert behind.get("key") == some_bytes(5000)


def test_a_file_of_too_many_blocks(store: AzureBlobStore, tmp_path: Path) -> None:
    """The service refuses block 50,001 after hours of uploading."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(50_000 * BLOCK + 1)
    with pytest.raises(SettingsError, match="block_bytes=1025"):
        store.put("huge", path)
