"""Removes secrets from texts that are shown."""

import re

_SECRETS = (
    # A shared access signature in an address, a key in a connection string, a token in a header, and a name and
    # password before the host of an address.
    (re.compile(r"(?i)([?&;]?\b(?:sig|signature|access_token|token|password|api[-_]?key)=)[^&\s\"'<>;,)]+"), r"\1***"),
    (re.compile(r"(?i)\b((?:Account|SharedAccess|Shared)(?:Key|Signature)\s*=\s*)[^;\s\"']+"), r"\1***"),
    (re.compile(r"(?i)\b(Bearer|SharedKey(?:Lite)?)\s+[\w.~+/=:-]{8,}"), r"\1 ***"),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)[^/\s@\"']+@"), r"\1***@"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "***"),  # a JSON web token
    (re.compile(r"(?<![\w+/])[\w+/]{86}=="), "***"),  # the key of a storage account, 64 bytes in base64
    (re.compile(r"\bhf_\w{30,}"), "***"),  # a token of Hugging Face
)
_MAX_NAME = 24  # of an account


def redacted(text: str, *known: str | None) -> str:
    """The text, with three asterisks instead of everything that looks like a secret and of every ``known`` one.

    Args:
        text: such as the error message of a client library, which may contain the address it called.
        known: known secrets, such as a key that the caller passed.
    """
    for secret in known:
        if secret:
            text = text.replace(secret, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def shown_name(text: str) -> str:
    """A text that was given as a name, for the message that it is none: it may be a key that was given by mistake.

    Example:
        >>> shown_name("My Account"), shown_name("c2VjcmV0IGtleSBvZiBhbiBhY2NvdW50")
        ("'My Account'", 'a text of 32 characters')
    """
    if len(text) > _MAX_NAME:
        return f"a text of {len(text)} characters"
    return repr(redacted(text))
