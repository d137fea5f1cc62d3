"""The account and its credentials, which no log or error shows."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azurite import ACCOUNT, KEY, OTHER_KEY, Azurite, need_azure

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, StoreAccessError, StoreError
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
from pianoroll_seq2seq.stores.azure_blob.credentials import Account, AccountArguments, resolve_account

URL = "https://pianorolls.blob.core.windows.net"
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};EndpointSuffix=core.windows.net"
SIGNED = "sv=2024-11-04&ss=b&srt=co&sp=rl&se=2030-01-01&sig=c2VjcmV0IHNpZ25hdHVyZQ%3D%3D"
ENVIRONMENT = ("STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_CONNECTION_STRING")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    need_azure()
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def by_key(key: str, account: str = ACCOUNT) -> dict[str, Any]:
    return {"account_name": account, "account_key": key}


class TestResolving:
    def test_explicit_arguments_beat_the_environment(self) -> None:
        """A key in the environment opens another account than the one in the arguments."""
        environment = dict(zip(ENVIRONMENT, ("other", OTHER_KEY, CONNECTION.replace(ACCOUNT, "third")), strict=True))
        access = resolve_account(AccountArguments(account_name=ACCOUNT, account_key=KEY), environment)
        assert (access.account_url, access.credential) == (URL, by_key(KEY))
        access = resolve_account(AccountArguments(connection_string=CONNECTION), environment)
        assert access.connection_string == CONNECTION
        access = resolve_account(
            AccountArguments(account_name=ACCOUNT), environment
        )  # the key there is not of this account
        assert (access.account_url, access.owns_credential) == (URL, True)
        access.credential.close()
        access = resolve_account(AccountArguments(account_url=URL, account_key=KEY), environment)
        assert (access.account_url, access.credential) == (URL, by_key(KEY))

    def test_missing_arguments_come_from_the_environment(self) -> None:
        """The names of the 2017 article's environment variables no longer work."""
        named = {"STORAGE_ACCOUNT_NAME": ACCOUNT, "STORAGE_ACCOUNT_KEY": KEY}
        for arguments in (
            AccountArguments(),
            AccountArguments(account_name=ACCOUNT),
            AccountArguments(account_url=URL),
        ):
            access = resolve_account(arguments, named)
            assert (access.account_url, access.credential) == (URL, by_key(KEY))
        access = resolve_account(AccountArguments(account_name=ACCOUNT), {"STORAGE_ACCOUNT_KEY": KEY})
        assert access.credential == by_key(KEY)
        access = resolve_account(AccountArguments(account_key=KEY), {"STORAGE_ACCOUNT_NAME": ACCOUNT})
        assert access.credential == by_key(KEY)
        access = resolve_account(
            AccountArguments(), {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION, "STORAGE_ACCOUNT_NAME": "other"}
        )
        assert access.connection_string == CONNECTION
        access = resolve_account(AccountArguments(), {"STORAGE_ACCOUNT_NAME": ACCOUNT})
        assert access.owns_credential
        access.credential.close()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (AccountArguments(connection_string=CONNECTION, account_name=ACCOUNT), "contradicts account_name"),
            (AccountArguments(connection_string=CONNECTION, credential=object()), "contradicts credential"),
            (AccountArguments(account_name=ACCOUNT, account_key=KEY, credential="x"), "account_key and credential"),
            (AccountArguments(account_url=f"{URL}?{SIGNED}", account_key=KEY), "account_key and account_url"),
            (AccountArguments(account_name="another", account_url=URL, account_key=KEY), "'another'.*'pianorolls'"),
            (AccountArguments(account_name=ACCOUNT, account_key="not base64!"), "base64"),
            (AccountArguments(account_name=ACCOUNT, account_key=""), "base64"),
            (AccountArguments(account_name="evil.example/#", account_key=KEY), "small letters"),
            (
                AccountArguments(account_url="http://pianorolls.blob.core.windows.net", account_key=KEY),
                "account_url is https",
            ),
            (AccountArguments(account_url="pianorolls", account_key=KEY), "account_url is https"),
            (AccountArguments(account_url=f"https://user:{KEY}@example.org", account_key=KEY), "account_url is https"),
            (AccountArguments(account_url="https://music.example.org", account_key=KEY), "pass account_name"),
            (AccountArguments(connection_string="AccountName=pianorolls"), "neither an AccountKey"),
            (AccountArguments(connection_string="AccountName=pianorolls;AccountKey=not base64!"), "base64"),
            (AccountArguments(connection_string=""), "neither an AccountKey"),
        ],
    )
    def test_contradicting_arguments_are_named(self, arguments: AccountArguments, message: str) -> None:
        """The ignored argument is the one that the user meant."""
        with pytest.raises(SettingsError, match=message) as caught:
            resolve_account(arguments, {})
        assert KEY not in str(caught.value)
        assert "not base64!" not in str(caught.value)

    def test_without_an_account_the_error_says_how(self) -> None:
        with pytest.raises(StoreAccessError, match="STORAGE_ACCOUNT_NAME and STORAGE_ACCOUNT_KEY"):
            resolve_account(AccountArguments(), {})

    def test_signatures_are_recognized(self) -> None:
        """They are in the address of every request, which is logged."""
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

        ways = [
            AccountArguments(account_url=f"{URL}?{SIGNED}"),
            AccountArguments(account_url=URL, credential=SIGNED),
            AccountArguments(account_url=URL, credential=AzureSasCredential(SIGNED)),
            AccountArguments(connection_string=f"BlobEndpoint={URL};SharedAccessSignature={SIGNED}"),
        ]
        for access in (resolve_account(arguments, {}) for arguments in ways):
            assert access.is_signature
            assert "c2VjcmV0IHNpZ25hdHVyZQ%3D%3D" in access.secrets
            assert "c2VjcmV0" not in repr(access)
        access = resolve_account(
            AccountArguments(account_url=URL, credential=AzureNamedKeyCredential(ACCOUNT, KEY)), {}
        )
        assert access.secrets == (KEY,)

    @pytest.mark.parametrize(
        ("module", "package", "arguments"),
        [
            ("azure.storage.blob", "azure-storage-blob", by_key(KEY)),
            ("azure.identity", "azure-identity", {"account_name": ACCOUNT}),
        ],
    )
    def test_a_missing_package_names_its_extra(
        self, monkeypatch: pytest.MonkeyPatch, module: str, package: str, arguments: dict[str, Any]
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtraError, match=rf"{package}.*pianoroll-seq2seq\[azure\]"):
            AzureBlobStore("models", **arguments)


class TestNames:
    @pytest.mark.parametrize("container", ["", "ab", "Models", "a--b", "-ab", "ab-", "a/b", "a" * 64, "a_b", "abc\n"])
    def test_containers(self, container: str) -> None:
        """A name that the service refuses is noticed only when the training has ended."""
        with pytest.raises(SettingsError, match="container's name"):
            AzureBlobStore(container, **by_key(KEY))

    @pytest.mark.parametrize("prefix", ["/runs", "runs/", "a/../b", "a\\b"])
    def test_prefixes(self, prefix: str) -> None:
        with pytest.raises(SettingsError, match="key in a store"):
            AzureBlobStore("models", prefix=prefix, **by_key(KEY))

    def test_sizes(self) -> None:
        wrongs: list[dict[str, Any]] = [{"block_bytes": 0}, {"block_bytes": 1 << 40}, {"retries": -1}]
        for wrong in wrongs:
            with pytest.raises(SettingsError, match="block_bytes is from 1"):
                AzureBlobStore("models", **by_key(KEY), **wrong)

    def test_no_working_credential(self) -> None:
        """The error is Azure's page of advice, or looks like a network error."""

        class Token:
            def get_token(self, *scopes: str, **options: object) -> None:
                from azure.core.exceptions import ClientAuthenticationError

                raise ClientAuthenticationError("No credential of this chain\nand more")

        with (
            AzureBlobStore("models", account_name=ACCOUNT, credential=Token(), retries=0) as store,
            pytest.raises(StoreAccessError, match=r"no credentials were accepted: No credential of this chain\. Check"),
        ):
            store.find("key")

    def test_a_token_needs_https(self) -> None:
        class Token:
            def get_token(self, *scopes: str) -> None: ...

        with pytest.raises(SettingsError, match="needs an address with https"):
            AzureBlobStore("models", account_url="http://127.0.0.1:1/pianorolls", credential=Token())


class TestSecrets:
    """A key in a log is a key on the internet."""

    @pytest.fixture
    def signature(self, azurite: Azurite) -> str:
        """A signature of the emulator's account, valid for an hour."""
        from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

        return generate_account_sas(
            ACCOUNT,
            KEY,
            ResourceTypes(object=True, container=True),
            AccountSasPermissions(read=True, write=True, list=True, create=True, delete=True),
            datetime.now(UTC) + timedelta(hours=1),
        )

    def all_output(self, store: AzureBlobStore, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
        """All texts of the store: its representation, errors, tracebacks and all logs."""
        yield repr(store)
        yield str(vars(store))
        calls: list[Callable[[], object]] = [
            store.create_container,
            lambda: store.put("key", b"1", overwrite=True),
            lambda: store.put("key", b"1" * 3000, overwrite=True),
            lambda: store.get("key"),
            lambda: store.get("no such key"),
            lambda: list(store.list()),
            lambda: store.delete("key"),
        ]
        for call in calls:
            error = self.error_of(call)
            if error is not None:
                assert (error.__cause__, error.__context__) == (None, None)
                yield "".join(traceback.format_exception(error)) + repr(error)
        yield caplog.text
        yield "".join(f"{record.getMessage()}{record.args}" for record in caplog.records)

    def error_of(self, call: Callable[[], object]) -> StoreError | None:
        try:
            call()
        except StoreError as error:
            return error
        return None

    def check(self, store: AzureBlobStore, secrets: list[str], caplog: pytest.LogCaptureFixture) -> int:
        with caplog.at_level(logging.DEBUG), store:
            texts = list(self.all_output(store, caplog))
        for text in texts:
            for secret in secrets:
                assert secret not in text
        return len(texts) - 4

    @pytest.mark.parametrize("key", [KEY, OTHER_KEY])
    def test_of_keys(self, azurite: Azurite, caplog: pytest.LogCaptureFixture, key: str) -> None:
        arguments = azurite.arguments() | {"account_key": key}
        store = AzureBlobStore(azurite.new_container(), **arguments, block_bytes=1000)
        assert self.check(store, [key], caplog) == (1 if key == KEY else 7)

    @pytest.mark.parametrize("way", ["credential", "url", "connection string", "string"])
    def test_of_signatures(self, azurite: Azurite, caplog: pytest.LogCaptureFixture, signature: str, way: str) -> None:
        store = AzureBlobStore(azurite.new_container(), **self.by(way, azurite.url, signature), block_bytes=1000)
        sig = signature.partition("sig=")[2].partition("&")[0]
        assert len(sig) > 40
        assert self.check(store, [signature, sig], caplog) == 1
        assert "urllib3.connectionpool" in {record.name for record in caplog.records}

    @pytest.mark.parametrize("way", ["key", "credential", "url", "connection string"])
    def test_of_a_service_that_cannot_be_reached(
        self, azurite: Azurite, caplog: pytest.LogCaptureFixture, signature: str, way: str
    ) -> None:
        """The HTTP client's errors contain the address that it called."""
        url = azurite.url_at(1)
        arguments = by_key(KEY) | {"account_url": url} if way == "key" else self.by(way, url, signature)
        store = AzureBlobStore("models", **arguments, retries=0)
        sig = signature.partition("sig=")[2].partition("&")[0]
        assert self.check(store, [KEY, signature, sig], caplog) == 7

    def test_of_an_invalid_connection_string(self, caplog: pytest.LogCaptureFixture) -> None:
        for broken in (f"AccountKey={KEY}", f"AccountName={ACCOUNT};AccountKey={KEY};;;x"):
            with pytest.raises(SettingsError) as caught:
                AzureBlobStore("models", connection_string=broken)
            assert KEY not in "".join(traceback.format_exception(caught.value))
            assert caught.value.__context__ is None

    def by(self, way: str, url: str, signature: str) -> dict[str, Any]:
        from azure.core.credentials import AzureSasCredential

        ways: dict[str, dict[str, Any]] = {
            "credential": {"account_url": url, "credential": AzureSasCredential(signature)},
            "string": {"account_url": url, "credential": signature},
            "url": {"account_url": f"{url}?{signature}"},
            "connection string": {"connection_string": f"BlobEndpoint={url};SharedAccessSignature={signature}"},
        }
        return ways[way]


def test_representations_show_no_secret() -> None:
    assert KEY not in repr(Account(URL, None, by_key(KEY), (KEY,)))
    assert KEY not in repr(AccountArguments(account_key=KEY, connection_string=CONNECTION, credential=KEY))


@pytest.mark.parametrize("place", ["container", "prefix", "account_name", "account_url", "url", "both names"])
def test_a_key_in_a_wrong_place_is_not_shown(place: str) -> None:
    """The arguments were swapped, and the key of the account is in a log."""
    given: dict[str, Any] = {"container": "music", "account_name": ACCOUNT, "account_key": KEY}
    make: Callable[..., AzureBlobStore] = AzureBlobStore
    if place == "url":
        make, given = AzureBlobStore.from_url, {"url": f"https://{ACCOUNT}.blob.core.windows.net/{KEY}"}
    elif place == "both names":
        given |= {"account_name": KEY, "account_url": URL}
    elif place == "prefix":
        given |= {"prefix": f"{KEY}/."}
    else:
        given |= {place: KEY}
    with pytest.raises(SettingsError) as caught:
        make(**given)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in str(caught.value)
    assert KEY not in shown


def test_a_key_as_the_prefix_is_not_shown() -> None:
    """A key can be the name of a folder."""
    with AzureBlobStore("music", prefix=KEY, account_name=ACCOUNT, account_key=OTHER_KEY) as store:
        assert KEY not in repr(store)
