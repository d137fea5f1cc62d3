"""Downloads from Azure Blob storage, and concurrent writers, against Azurite."""

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
from azurite import ACCOUNT, KEY, Azurite
from stores.blobs import BLOCK, parts, some_bytes
from stores.racing import race

from pianoroll_seq2seq.errors import (
    NotStoredError,
    OverwriteError,
    StoreConflictError,
)
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
from pianoroll_seq2seq.stores.internal_files import partial_file_lock


class TestDownload:
    def test_resumes_its_partial_file(self, store: AzureBlobStore, tmp_path: Path) -> None:
        """A partial file that is damaged (such as by a power cut) or too long ends in a damaged file."""
        data = some_bytes(5000)
        store.put("key", data)
        part = self.part(store, tmp_path)
        for before in (b"", data[:100], data[:2048], data, b"\0" * 700, data + b"too long", b"\0" * 5000):
            part.write_bytes(before)
            store.download("key", tmp_path / "copy", overwrite=True)
            assert (tmp_path / "copy").read_bytes() == data
            assert parts(tmp_path) == ["copy"]

    def test_partial_files_of_other_versions_are_removed(self, store: AzureBlobStore, tmp_path: Path) -> None:
        """The disk fills with partial files of old versions, or those of other files are removed."""
        store.put("key", b"new")
        old, other = ".copy.0123456789abcdef.part", ".copy2.0123456789abcdef.part"
        for name in (old, other, ".copy.mine.part"):
            (tmp_path / name).write_bytes(b"half")
        store.download("key", tmp_path / "copy")
        assert parts(tmp_path) == sorted([other, ".copy.mine.part", "copy"])

    def test_a_partial_file_in_use_is_not_removed(self, store: AzureBlobStore, tmp_path: Path) -> None:
        """Two processes download two versions, and one removes the partial file of the other."""
        store.put("key", b"new")
        part = tmp_path / ".copy.0123456789abcdef.part"
        part.write_bytes(b"half")
        with partial_file_lock(part):
            store.download("key", tmp_path / "copy")
            assert part.exists()

    def test_an_object_that_changes_meanwhile(
        self, store: AzureBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Halves of two versions become one file."""
        versions = [some_bytes(5000, seed) for seed in range(9)]
        store.put("key", versions[0])
        changes = self.change_on_third_request(store, monkeypatch, versions[1:2])
        store.download("key", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == versions[1]
        assert parts(tmp_path) == ["copy"]
        changes += versions[2:3]
        assert store.get("key") == versions[2]
        changes += versions[3:]
        with pytest.raises(StoreConflictError, match="changed by somebody else during each of 3 downloads"):
            store.download("key", tmp_path / "copy", overwrite=True)
        assert (tmp_path / "copy").read_bytes() == versions[1]
        with pytest.raises(StoreConflictError, match="changed by somebody else during each of 3 downloads"):
            store.get("key")

    def test_an_object_that_is_deleted_meanwhile(
        self, store: AzureBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half of a file is taken for the whole file."""
        from azure.storage.blob import BlobClient

        store.put("key", some_bytes(5000))
        real = BlobClient.download_blob

        def download_blob(self: Any, offset: int, *arguments: Any, **options: Any) -> Any:
            if offset == 2 * BLOCK:
                store.delete("key")
            return real(self, offset, *arguments, **options)

        monkeypatch.setattr(BlobClient, "download_blob", download_blob)
        with pytest.raises(NotStoredError, match="'key'"):
            store.download("key", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_two_downloads_at_once(self, store: AzureBlobStore, tmp_path: Path) -> None:
        """Both write to the same partial file, and it is twice as long; or the slower one leaves its partial file."""
        from concurrent.futures import ThreadPoolExecutor

        data = some_bytes(20_000)
        store.put("key", data)

        def fetch(_: int) -> bool:
            try:
                store.download("key", tmp_path / "copy")
            except OverwriteError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(fetch, range(4))) == 1
        assert (tmp_path / "copy").read_bytes() == data
        assert parts(tmp_path) == ["copy"]

    def part(self, store: AzureBlobStore, folder: Path) -> Path:
        found = store.find("key")
        assert found is not None
        return folder / f".copy.{hashlib.sha256(found.etag.encode()).hexdigest()[:16]}.part"

    def change_on_third_request(
        self, store: AzureBlobStore, monkeypatch: pytest.MonkeyPatch, versions: list[bytes]
    ) -> list[bytes]:
        """Stores the next version when the third range is requested."""
        from azure.storage.blob import BlobClient

        real, left = BlobClient.download_blob, list(versions)

        def download_blob(self: Any, offset: int, *arguments: Any, **options: Any) -> Any:
            if offset == 2 * BLOCK and left:
                store.put("key", left.pop(0), overwrite=True)
            return real(self, offset, *arguments, **options)

        monkeypatch.setattr(BlobClient, "download_blob", download_blob)
        return left


class TestWriters:
    def test_blocks_that_another_writer_discarded_are_sent_again(
        self, store: AzureBlobStore, client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A large upload fails because another writer stored a small object under the same key."""
        from azure.storage.blob import BlobBlock, BlobClient

        real, commits = BlobClient.commit_block_list, []

        def commit_block_list(self: Any, blocks: Any, **options: Any) -> Any:
            commits.append(len(blocks))
            if len(commits) == 1:  # another writer commits a block of its own just before, which discards all others
                self.stage_block(f"00000-{'f' * 40}", b"theirs")
                real(self, [BlobBlock(f"00000-{'f' * 40}")])
            return real(self, blocks, **options)

        monkeypatch.setattr(BlobClient, "commit_block_list", commit_block_list)
        data = some_bytes(5000)
        store.put("key", data, overwrite=True)
        assert commits == [5, 5]
        assert store.get("key") == data
        commits.clear()
        with pytest.raises(OverwriteError):
            store.put("other", data)
        assert store.get("other") == b"theirs"

    @pytest.mark.parametrize("condition", ["nothing there", "etag"])
    def test_one_of_two_processes_wins(self, azurite: Azurite, store: AzureBlobStore, condition: str) -> None:
        """Two machines both report that their object is stored."""
        script = """
            import random, sys
            from pianoroll_seq2seq.errors import OverwriteError, StoreConflictError
            from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
            container, name, key, url, seed, etag = sys.argv[1:]
            access = {"account_name": name, "account_key": key, "account_url": url}
            data = random.Random(int(seed)).randbytes(300_000)
            with AzureBlobStore(container, **access, block_bytes=20_000) as store:
                print("ready", flush=True)
                sys.stdin.readline()
                try:
                    store.put("wanted", data, etag=etag or None)
                    print("won")
                except (OverwriteError, StoreConflictError) as error:
                    print(type(error).__name__)
        """
        etag = "" if condition == "nothing there" else store.put("wanted", b"first").etag
        access = [store.container, ACCOUNT, KEY, azurite.url]
        said = race(script, *([*access, str(seed), etag] for seed in (1, 2)))
        refusal = "StoreConflictError" if etag else "OverwriteError"
        assert sorted(said) == sorted(["won", refusal])
        assert store.get("wanted") == random.Random(1 + said.index("won")).randbytes(300_000)
