"""The error of an invalid request."""

from typing import Any

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError


class RequestError(PianoRollSeq2SeqError, ValueError):
    """A request that cannot be answered.

    Args:
        status: the HTTP status to send: 400 malformed, 413 too large, 422 well formed but unusable.
        field: the invalid part of the request, such as ``primer_notes[3].pitch``.
        problem: what is wrong with it, and how to correct it.
    """

    def __init__(self, status: int, field: str, problem: str) -> None:
        """Builds the message from the field and the problem."""
        super().__init__(f"{field}: {problem}")
        self.status = status
        self.field = field

    def to_json(self) -> dict[str, Any]:
        """The body of the error response."""
        return {"error": {"status": self.status, "field": self.field, "message": str(self)}}
