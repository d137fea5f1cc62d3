"""Which bars and parts of a piece a request asks for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import integer_field, number_field, shown
from pianoroll_seq2seq.studio.pieces import Piece, PieceNote
from pianoroll_seq2seq.studio.tasks import Task

_CONTINUED_BEATS = 16


@dataclass(frozen=True)
class Region:
    """What is written: some parts of a piece, from one beat to another.

    Attributes:
        task: what the request asks for.
        begin: the beat at which it begins.
        end: the beat at which it ends.
        parts: the parts of the piece that are written there, by index.
        target: the part of the piece that gets the notes of a model of one part.
        bars: the first and the last bar, counted from 1; None to continue.
    """

    task: Task
    begin: float
    end: float
    parts: tuple[int, ...]
    target: int
    bars: tuple[int, int] | None

    def holds(self, note: PieceNote) -> bool:
        """Whether a note is in it from its start to its end."""
        return note.part in self.parts and self.begin <= note.start and note.end <= self.end


def region_of(
    task: Task, piece: Piece, placed: Sequence[int | None], fields: Mapping[str, object], *, most_beats: float
) -> Region:
    """The region of a request.

    Args:
        task: what the request asks for.
        piece: the piece.
        placed: the part of the model that each part of the piece is; None for parts that it does not read.
        fields: ``bars``, ``parts`` and ``beats`` of the request.
        most_beats: the longest piece.

    Raises:
        RequestError: bars or parts that the piece does not have, or nothing that can be written.
    """
    read = tuple(index for index, own in enumerate(placed) if own is not None)
    if not read:
        own, others = ("no drums", "other parts") if piece.parts[0].drums else ("only drums", "drums")
        raise RequestError(422, "parts", f"this model reads {own}, and the piece has no {others}. Add a part.")
    chosen = _parts(fields.get("parts"), piece, read)
    bars = _bars(fields.get("bars"), piece)
    is_one = len(read) > len({placed[index] for index in read}) or len(placed) == 1
    if task == "continue":
        return _continued(piece, read, chosen, bars, fields.get("beats"), most_beats=most_beats)
    if fields.get("beats") is not None:
        raise RequestError(422, "beats", "is for continuing only. Select bars instead, or leave it out.")
    if task == "fill" and bars is None and chosen is None and piece.notes:
        raise RequestError(422, "bars", "select the bars or the parts that are to be written.")
    first, last = bars or (1, piece.bar_of(max(piece.end - 1e-9, 0)) if piece.notes else piece.num_bars)
    begin, end = (first - 1) * piece.beats_per_bar, last * piece.beats_per_bar
    inside = [note for note in piece.notes if note.part in read and note.start < end and note.end > begin]
    if task == "harmonize":
        parts = _harmonized(chosen, read, {note.part for note in inside})
    else:
        parts = read if chosen is None or is_one else chosen
    if task == "vary" and not any(note.part in parts for note in inside):
        raise RequestError(422, "bars", "there are no notes to vary. Select bars with notes, or fill them.")
    return Region(task, begin, end, parts, (chosen or parts)[0], (first, last))


def _continued(
    piece: Piece,
    read: tuple[int, ...],
    chosen: tuple[int, ...] | None,
    bars: tuple[int, int] | None,
    beats: object,
    *,
    most_beats: float,
) -> Region:
    """The beats after the last note."""
    if bars is not None:
        raise RequestError(422, "bars", "continuing writes after the last note. Leave the bars out, or fill them.")
    begin = math.ceil(max((note.end for note in piece.notes if note.part in read), default=0.0) - 1e-6)
    length = number_field(_CONTINUED_BEATS if beats is None else beats, "beats", lowest=1)
    if begin + length > most_beats:
        problem = f"the piece would have {begin + length:.0f} beats; at its tempo the limit is {most_beats:.0f}."
        raise RequestError(413, "beats", problem)
    return Region("continue", float(begin), begin + length, read, (chosen or read)[0], None)


def _harmonized(chosen: tuple[int, ...] | None, read: tuple[int, ...], sounding: set[int]) -> tuple[int, ...]:
    """The parts to be written to the others."""
    parts = tuple(index for index in read if index not in sounding) if chosen is None else chosen
    if not sounding - set(parts):
        raise RequestError(422, "parts", "there is no melody to harmonize. Draw one, or fill the bars.")
    if not parts:
        raise RequestError(422, "parts", "all parts have notes there. Select the parts that are to be written.")
    return parts


def _bars(value: object, piece: Piece) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise RequestError(400, "bars", f"must be the first and the last bar, got {shown(value)}.")
    first, last = (integer_field(bar, "bars", lowest=1) for bar in value)
    if not first <= last <= piece.num_bars:
        problem = f"{shown(value)} are not bars of the piece, which has {piece.num_bars}; the first one comes first."
        raise RequestError(422, "bars", problem)
    return first, last


def _parts(value: object, piece: Piece, read: Sequence[int]) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise RequestError(400, "parts", f"must be a list of the parts to be written, by index, got {shown(value)}.")
    chosen = {integer_field(part, "parts", lowest=0, highest=len(piece.parts) - 1) for part in value}
    for index in sorted(chosen):
        if index not in read:
            raise RequestError(422, "parts", f"this model does not write {piece.parts[index].name!r}.")
    return tuple(sorted(chosen))
