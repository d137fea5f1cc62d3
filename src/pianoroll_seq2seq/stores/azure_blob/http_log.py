"""Keeps signatures out of the log of the HTTP client."""

import logging

from pianoroll_seq2seq._internal.redaction import redacted


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(redacted(value) if isinstance(value, str) else value for value in record.args)
        return True


_REDACTING = _Redacting()


def redact_http_log() -> None:
    """Makes urllib3 log the paths of requests without the signatures they contain."""
    logging.getLogger("urllib3.connectionpool").addFilter(_REDACTING)  # adding it again changes nothing
