"""The takes of a request, as lines that a page plays and draws while the model still writes."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.pianoroll.columns import Plane
from pianoroll_seq2seq.sampling.filling import fill_frames
from pianoroll_seq2seq.sampling.given_pieces import GivenPieces, columns_of, filled_planes, given_pieces
from pianoroll_seq2seq.studio.fill_request import FillRequest
from pianoroll_seq2seq.studio.note_tracker import NoteTracker, TrackedNote
from pianoroll_seq2seq.studio.pieces import PieceNote, note_json

PART_SECONDS = 0.04
"""How long the model writes between two lines; a job can be cancelled between lines."""


def stream_takes(request: FillRequest) -> Iterator[dict[str, Any]]:
    """Writes all takes of a request in one batch, and yields their notes as they end.

    Args:
        request: what to write.

    Yields:
        First ``{"begin": ..., "end": ..., "parts": [...], "takes": ...}``: the beats and the parts that are written.
        Then, for each take in turn, ``{"take": 0, "until": ..., "notes": [...]}``: notes that have ended, and the beat
        before which there will be no others. At last ``{"take": 0, "done": true}`` for each, or ``{"error": ...}`` if
        the model fails.
    """
    region, rolls = request.region, [request.section.roll] * len(request.given)
    yield {"begin": region.begin, "end": region.end, "parts": list(region.parts), "takes": len(rolls)}
    try:
        pieces = given_pieces(request.trained.model, rolls, request.given, request.trained.layout)
        takes = [_Take(request, pieces, index) for index in range(len(rolls))]
        frames = fill_frames(
            request.trained.model,
            rolls,
            request.given,
            sampler=request.sampler,
            seed=request.seed,
            condition=request.condition,
            ends=request.ends,
            layout=request.trained.layout,
        )
        while len(written := _next_frames(frames)):
            for take in takes:
                yield take.line(written[:, take.index])
    except (PianoRollSeq2SeqError, RuntimeError, ValueError, IndexError) as error:
        yield {"error": {"message": f"The model failed: {' '.join(str(error).split())}"}}
        return
    yield from ({"take": take.index, "done": True} for take in takes)


def _next_frames(frames: Iterator[np.ndarray]) -> np.ndarray:
    """The frames that are written in a short time, (frames, takes, frame_size)."""
    deadline, written = time.monotonic() + PART_SECONDS, []
    for frame in frames:
        written.append(frame)
        if time.monotonic() >= deadline:
            break
    return np.array(written)


class _Take:
    """The notes of one take, as :func:`~pianoroll_seq2seq.sampling.fill` gives them, found frame by frame."""

    def __init__(self, request: FillRequest, pieces: GivenPieces, index: int) -> None:
        """Starts before the first frame."""
        self.index = index
        self._request = request
        self._pieces = pieces
        self._tracker = NoteTracker(request.trained.parts)
        self._before: Plane | None = None
        self._beats = request.section.beats()
        self._own_parts = {request.placed[part] or 0: part for part in request.region.parts}
        if len(request.trained.parts) == 1:
            self._own_parts = {0: request.region.target}
        written = np.isin(np.arange(len(request.trained.parts)), list(self._own_parts))
        self._columns = columns_of(written, request.trained.layout)
        self._read = request.notes_by_onset()

    def line(self, frames: np.ndarray) -> dict[str, Any]:
        """The line with the notes that ended with some more frames, (frames, frame_size)."""
        begin = self._tracker.num_frames
        planes = filled_planes(self._pieces, self.index, frames, begin, self._before)
        self._before = planes.active[-1]
        notes = []
        for place in range(len(frames)):
            velocity = None if planes.velocity is None else planes.velocity[place]
            notes += self._tracker.add_frame(
                planes.active[place] & self._columns, planes.onset[place] & self._columns, velocity
            )
        if self._tracker.num_frames == len(self._request.section.roll):
            notes += self._tracker.end()
        region = self._request.region
        until = float(self._beats[self._tracker.complete_until])
        written = [self._note(note) for note in sorted(notes)]
        return {
            "take": self.index,
            "until": round(min(max(until, region.begin), region.end), 4),
            "notes": [note_json(note) for note in written if note is not None],
        }

    def _note(self, note: TrackedNote) -> PieceNote | None:
        """A note in beats; None for one that is not in the region, or that is given and reaches out of it.

        A note of the piece that is kept, or that goes on longer than before, begins when that does.
        """
        section = self._request.section
        if note.onset_frame >= section.end or note.end_frame <= section.begin:
            return None
        is_given = self._pieces.mask[self.index, note.onset_frame, note.part]
        place = (note.onset_frame, note.part, note.pitch)
        end_frame, read = self._read.get(place, (0, None)) if is_given else (0, None)
        if read is not None and end_frame == note.end_frame:
            return read if self._request.region.holds(read) else None
        part, velocity = self._own_parts[note.part], note.velocity or self._pieces.given_velocities[self.index]
        start, end = float(self._beats[note.onset_frame]), float(self._beats[note.end_frame])
        if read is not None:
            part, start, velocity = read.part, read.start, read.velocity
        return PieceNote(part, note.pitch, start, end - start, velocity)
