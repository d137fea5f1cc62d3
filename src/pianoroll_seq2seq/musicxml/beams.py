"""Beams: which flagged notes of a bar are joined."""

from collections.abc import Iterator, Sequence

from pianoroll_seq2seq.musicxml.notation import Piece
from pianoroll_seq2seq.signatures import TimeSignature

_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, **{f"{2**power}th": power - 2 for power in range(6, 11)}}


def beam_ticks(signature: TimeSignature | None, ticks_per_beat: int) -> int:
    """The ticks that one beam may span: a dotted quarter note in 6/8 and its like, a quarter note elsewhere."""
    if signature is not None and signature.denominator >= 8 and signature.numerator % 3 == 0:
        return max(12 * ticks_per_beat // signature.denominator, 1)
    return ticks_per_beat


def with_beams(pieces: Sequence[Piece], ticks: int, offset: int = 0) -> list[Piece]:
    """The pieces of a bar of a voice, with their beams.

    Notes with flags that follow each other inside a beat are joined. Rests and grace notes part them.

    Args:
        pieces: notes, chords and rests in order.
        ticks: of :func:`beam_ticks`.
        offset: the ticks that are missing at the beginning of the bar, if it is an upbeat.
    """
    joined = []
    for group in _groups(pieces, ticks, offset):
        levels = [_flags(piece) for piece in group]
        for index, piece in enumerate(group):
            before = levels[index - 1] if index else 0
            after = levels[index + 1] if index + 1 < len(group) else 0
            joined.append(piece if len(group) == 1 else piece._replace(beams=_beams(levels[index], before, after)))
    return joined


def _groups(pieces: Sequence[Piece], ticks: int, offset: int) -> Iterator[list[Piece]]:
    """Pieces that one beam joins; a piece without a beam is a group of its own."""
    group: list[Piece] = []
    running = -1
    for piece in pieces:
        beat = (piece.segment.start + offset) // ticks if _flags(piece) else -1
        if group and (beat == -1 or beat != running):
            yield group
            group = []
        running = beat
        group.append(piece)
    if group:
        yield group


def _flags(piece: Piece) -> int:
    """The flags of a note; a rest and a grace note have none that a beam could replace."""
    if piece.segment.chord is None or piece.value is None or piece.length == 0:
        return 0
    return _FLAGS.get(piece.value[0], 0)


def _beams(flags: int, before: int, after: int) -> tuple[str, ...]:
    """What each of the beams of a note does, the outermost first."""
    beams = []
    for level in range(1, flags + 1):
        if before >= level:
            beams.append("continue" if after >= level else "end")
        elif after >= level:
            beams.append("begin")
        else:
            beams.append("backward hook" if before else "forward hook")
    return tuple(beams)
