"""The storage account and its credential: from explicit arguments first, then from the environment."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pianoroll_seq2seq._internal.redaction import redacted, shown_name
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, StoreAccessError

LOOPBACK = ("localhost", "127.0.0.1")

_SHARED_ACCESS = re.compile(r"(?i)(?:^|[?&;]|SharedAccessSignature=)sig=([^&;]+)")


@dataclass(frozen=True)
class Account:
    """An account: either a connection string, or an address and a credential."""

    account_url: str | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    credential: Any = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that must not be shown."""
    is_signature: bool = False
    """Whether the credential is part of the address of every request."""
    owns_credential: bool = False
    """Whether the store made the credential, and closes it."""


@dataclass(frozen=True)
class AccountArguments:
    """The arguments of a store that name its account."""

    account_name: str | None = None
    account_key: str | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    credential: Any = field(default=None, repr=False)
    account_url: str | None = field(default=None, repr=False)

    def given(self) -> list[str]:
        """The names of the arguments that were given."""
        names = ("account_name", "account_key", "connection_string", "credential", "account_url")
        return [name for name in names if getattr(self, name) is not None]

    def secret(self) -> list[str]:
        """The names of the arguments that were given and hold secrets."""
        signed = self.account_url is not None and _SHARED_ACCESS.search(self.account_url)
        kinds = ("account_key", "connection_string", "credential", *(("account_url",) if signed else ()))
        return [name for name in self.given() if name in kinds]


def resolve_account(arguments: AccountArguments, environment: Mapping[str, str]) -> Account:
    """Finds the account and its credential.

    Args:
        arguments: explicit arguments, which take precedence.
        environment: STORAGE_ACCOUNT_NAME and STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING.

    Raises:
        SettingsError: arguments that are invalid, or contradict one another.
        StoreAccessError: no account is named anywhere.
        MissingExtraError: an account without a key needs azure-identity, which is not installed.
    """
    _refuse_contradictions(arguments)
    name, key = environment.get("STORAGE_ACCOUNT_NAME"), environment.get("STORAGE_ACCOUNT_KEY")
    if arguments.connection_string is not None:
        return _account_by_connection_string(arguments.connection_string, "connection_string")
    if not arguments.given() and not (name and key) and environment.get("AZURE_STORAGE_CONNECTION_STRING"):
        return _account_by_connection_string(
            environment["AZURE_STORAGE_CONNECTION_STRING"], "AZURE_STORAGE_CONNECTION_STRING"
        )
    url, account = _account(arguments, name)
    if key and name and account != name:
        key = None  # the key of another account opens nothing
    return _resolve(url, account, arguments, key)


def _resolve(url: str, account: str | None, arguments: AccountArguments, environment_key: str | None) -> Account:
    if _SHARED_ACCESS.search(url):
        return Account(url, secrets=_signatures(url), is_signature=True)
    if arguments.credential is not None:
        return _account_by_credential(url, arguments.credential)
    if arguments.account_key is not None:
        return _account_by_key(url, account, arguments.account_key, "account_key")
    if environment_key:
        return _account_by_key(url, account, environment_key, "STORAGE_ACCOUNT_KEY")
    return Account(url, credential=_identity(), owns_credential=True)


def _refuse_contradictions(arguments: AccountArguments) -> None:
    given = arguments.given()
    if "connection_string" in given and len(given) > 1:
        raise SettingsError(
            f"A connection_string names the account and its key, so it contradicts {_and(given, 'connection_string')}: "
            f"give one or the other."
        )
    ways = [name for name in given if name in ("account_key", "credential")]
    if arguments.account_url is not None and _SHARED_ACCESS.search(arguments.account_url):
        ways.append("account_url")
    if len(ways) > 1:
        signed = " (with a signature)" if "account_url" in ways else ""
        raise SettingsError(f"{' and '.join(ways)}{signed} contradict each other: give one of them.")


def _and(names: list[str], without: str) -> str:
    return " and ".join(name for name in names if name != without)


def _account(arguments: AccountArguments, name: str | None) -> tuple[str, str | None]:
    """The account's address, and its name if it is known."""
    account = arguments.account_name
    if arguments.account_url is not None:
        in_url = _account_in(arguments.account_url)
        if account is not None and in_url is not None and account != in_url:
            raise SettingsError(
                f"account_name is {shown_name(account)}, but account_url leads to {shown_name(in_url)}: give one of "
                f"them."
            )
        return arguments.account_url, account or in_url
    account = account or name
    if account is None:
        raise StoreAccessError(
            "No storage account was named. Pass account_name and account_key (or a credential), or a "
            "connection_string; or set STORAGE_ACCOUNT_NAME and STORAGE_ACCOUNT_KEY, or "
            "AZURE_STORAGE_CONNECTION_STRING."
        )
    if not re.fullmatch("[a-z0-9]{3,24}", account):
        raise SettingsError(f"An account's name has 3 to 24 small letters and digits, got {shown_name(account)}.")
    return f"https://{account}.blob.core.windows.net", account


def _account_in(account_url: str) -> str | None:
    """The account that an address names; None for an address of the user's own domain."""
    parts = urlsplit(account_url)
    host = parts.hostname or ""
    local = parts.scheme in ("http", "https") and host in LOOPBACK
    if not (local or (parts.scheme == "https" and host and not parts.path.strip("/"))) or parts.username:
        raise SettingsError(
            "account_url is https://ACCOUNT.blob.core.windows.net or, for an emulator on this machine, "
            f"http://127.0.0.1:PORT/ACCOUNT; got {parts.scheme or 'no scheme'}, host {redacted(host)!r}."
        )
    if local:
        return parts.path.strip("/") or None
    return host.split(".")[0] if ".blob." in host else None


def _account_by_connection_string(text: str, source: str) -> Account:
    fields = {name.strip().lower(): value for name, _, value in (part.partition("=") for part in text.split(";"))}
    key, signature = fields.get("accountkey"), fields.get("sharedaccesssignature")
    if not key and not signature and fields.get("usedevelopmentstorage") != "true":
        raise SettingsError(
            f"{source} holds neither an AccountKey nor a SharedAccessSignature. Copy it again, whole, from the "
            f"account's 'Account keys' in the portal."
        )
    if key:
        _check_key(key, source)
    secrets = (text, *((key,) if key else ()), *_signatures(signature or ""))
    return Account(connection_string=text, secrets=secrets, is_signature=not key and signature is not None)


def _account_by_key(url: str, account: str | None, key: str, source: str) -> Account:
    if account is None:
        raise SettingsError("The account_url does not tell the account's name: pass account_name, too.")
    _check_key(key, source)
    return Account(url, credential={"account_name": account, "account_key": key}, secrets=(key,))


def _check_key(key: str, source: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        wrong = True
    else:
        wrong = not key
    if wrong:
        raise SettingsError(f"The account's key in {source} is not one: keys are base64. Copy it again, whole.")


def _account_by_credential(url: str, credential: Any) -> Account:
    """A string is a signature or a key; Azure's clients distinguish them."""
    signature = credential if isinstance(credential, str) else getattr(credential, "signature", None)
    if isinstance(signature, str):
        return Account(url, credential=credential, secrets=_signatures(signature), is_signature=True)
    named_key = getattr(credential, "named_key", None)
    return Account(url, credential=credential, secrets=(named_key.key,) if named_key is not None else ())


def _signatures(text: str) -> tuple[str, ...]:
    return (text, *_SHARED_ACCESS.findall(text)) if text else ()


def _identity() -> Any:
    """The login of this machine. A job of Azure ML names the identity that its cluster was assigned."""
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise MissingExtraError("azure-identity", "azure", "An account without a key") from error
    assigned = os.environ.get("DEFAULT_IDENTITY_CLIENT_ID")
    if assigned and not os.environ.get("AZURE_CLIENT_ID"):
        return DefaultAzureCredential(managed_identity_client_id=assigned)
    return DefaultAzureCredential()
