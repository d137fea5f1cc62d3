"""What must not be seen is not, and what may be stays."""

import base64

import pytest

from pianoroll_seq2seq._internal.redaction import redacted, shown_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("PUT https://a.blob.core.windows.net/c/k?sv=1&sig=AbC%2Fd%3D&se=2", "sv=1&sig=***&se=2"),
        ("AccountName=a;AccountKey=c2VjcmV0+/==;EndpointSuffix=x", "AccountName=a;AccountKey=***;EndpointSuffix=x"),
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: Bearer ***"),
        ("Authorization: SharedKey account:c2VjcmV0c2VjcmV0", "SharedKey ***"),
        ("cannot reach https://user:word@host/path", "https://***@host/path"),
        ("token eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2VjcmV0 refused", "token *** refused"),
    ],
)
def test_secrets_go_and_the_rest_stays(text, shown):
    assert shown in redacted(text)


def test_a_key_of_a_storage_account():
    """A key that was given in the place of a name is in the message about the name."""
    key = base64.b64encode(bytes(range(190, 254))).decode()
    assert redacted(f"no folder {key!r}") == "no folder '***'"
    assert key not in shown_name(key)
    assert key[:40] not in shown_name(key[:40])
    assert shown_name("My Account") == "'My Account'"
    assert redacted("sha256 " + "ab" * 32) == "sha256 " + "ab" * 32


def test_a_known_secret_goes_whatever_it_looks_like():
    assert redacted("the key is xyzzy", "xyzzy", None, "") == "the key is ***"


def test_plain_text_is_as_it_was():
    text = "expected 49 pitches, got 88 in /data/a@b.mid: see https://example.org/signals?step=3 (a=1)"
    assert redacted(text) == text
