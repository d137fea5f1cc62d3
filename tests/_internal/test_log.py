"""Warnings of what fails beside the work."""

import logging
import warnings

import pytest

from pianoroll_seq2seq._internal.log import warn


def test_a_warning_that_cannot_be_shown_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning about a service fails itself, and ends the work."""

    def fails(*_: object, **__: object) -> None:
        raise ValueError("I/O operation on closed file")

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(28, "No space left on device")

    handler = Broken()
    logging.getLogger("pianoroll_seq2seq").addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            monkeypatch.setattr(warnings, "showwarning", fails)
            warn("a service is gone", stacklevel=1)
    finally:
        logging.getLogger("pianoroll_seq2seq").removeHandler(handler)


def test_who_wants_errors_gets_errors() -> None:
    """``python -W error`` goes on after a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="a service is gone"):
            warn("a service is gone", stacklevel=1)


def test_warnings_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A log has all but the warnings; or a percent sign in a name ends the work."""
    with pytest.warns(UserWarning, match="100% full"):
        warn("100% full", stacklevel=1)
    assert caplog.messages == ["100% full"]
