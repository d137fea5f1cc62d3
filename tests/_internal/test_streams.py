"""Streams that never end the work."""

import io

from pianoroll_seq2seq._internal.streams import SteadyStream, reason_of


def test_what_is_written_arrives_and_the_rest_is_the_streams_own() -> None:
    """A message is lost on the way, or a program asks for the encoding and gets none."""
    inner = io.StringIO()
    stream = SteadyStream(inner)
    assert stream.write("one") == 3
    stream.flush()
    assert (inner.getvalue(), stream.error) == ("one", None)
    assert not stream.isatty()


def test_the_first_error_is_kept_and_later_texts_may_arrive() -> None:
    """A disk that was full for a while loses all later messages too."""

    class Full(io.StringIO):
        free = False

        def write(self, text: str) -> int:
            if not self.free:
                raise OSError(28, "No space left on device")
            return super().write(text)

    inner = Full()
    stream = SteadyStream(inner)
    stream.write("lost")
    inner.free = True
    stream.write("found")
    assert inner.getvalue() == "found"
    assert stream.error is not None
    assert reason_of(stream.error) == "No space left on device"


def test_a_stream_that_was_closed_keeps_nothing() -> None:
    """The messages of a week are kept in memory, for nobody."""
    inner = io.StringIO()
    stream = SteadyStream(inner, lost=OSError(9, "it is closed"))
    assert stream.error is None  # nothing was lost yet
    stream.write("lost")
    assert (inner.getvalue(), str(reason_of(stream.error or OSError()))) == ("", "it is closed")
