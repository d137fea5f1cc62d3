"""The generation of a piece, as parts that a page plays and draws while the model still writes."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from pianoroll_seq2seq.display.html.player_data import (
    VELOCITY,
    PlayerData,
    bar_seconds,
    beat_seconds,
    parts_data,
    rounded,
)
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.pianoroll.conversions import typical_velocity
from pianoroll_seq2seq.sampling import generate_frames
from pianoroll_seq2seq.studio.generation_request import GenerationRequest
from pianoroll_seq2seq.studio.note_tracker import NoteTracker, TrackedNote
from pianoroll_seq2seq.studio.partial_piece import PartialPiece

PART_SECONDS = 0.04
"""How long the model generates between two parts; a job can be cancelled between parts."""


def stream_piece(request: GenerationRequest, piece: PartialPiece) -> Iterator[dict[str, Any]]:
    """Generates a piece and yields it in parts.

    Args:
        request: what to generate.
        piece: the generated frames are added to it.

    Yields:
        First ``{"opening": ...}`` with the notes of the primer (a
        :class:`~pianoroll_seq2seq.display.html.PlayerData`). Then ``{"notes": ..., "seconds": ..., "num_frames":
        ...}``: more notes, the seconds of the piece that are complete with them, and the frames generated so far. At
        last ``{"done": true}``, or ``{"error": ...}`` if the model fails.
    """
    primer, layout = request.primer, request.trained.layout
    tracker = NoteTracker(primer.parts)
    end = len(primer) + request.num_frames
    line_seconds = rounded(primer.grid.seconds_at(np.arange(end + 1), primer.tempo))
    unknown = VELOCITY if primer.velocity is None else typical_velocity(primer.velocity) / 127

    def to_json(notes: list[TrackedNote]) -> list[list[float]]:
        return [
            [
                line_seconds[note.onset_frame],
                line_seconds[note.end_frame],
                note.pitch,
                round(note.velocity / 127 if note.velocity else unknown, 2),
                note.part,
            ]
            for note in sorted(notes)
        ]

    velocities = itertools.repeat(None) if primer.velocity is None else primer.velocity
    notes = []
    for active, onset, velocity in zip(primer.active, primer.onset, velocities, strict=False):
        notes += tracker.add_frame(active, onset, velocity)
    yield {
        "opening": PlayerData(
            name="",
            seconds=line_seconds[tracker.complete_until],
            primer_seconds=line_seconds[len(primer)],
            lowest=min(part.pitches.lowest for part in primer.parts),
            highest=max(part.pitches.highest for part in primer.parts),
            beats=beat_seconds(primer, extra_beats=1),
            bars=bar_seconds(primer, num_frames=end),
            parts=parts_data(primer),
            notes=to_json(notes),
        )
    }
    frames = _generated_frames(request)
    before = primer.active[-1]
    try:
        while len(piece.frames) < request.num_frames:
            notes = []
            deadline = time.monotonic() + PART_SECONDS
            while len(piece.frames) < request.num_frames:
                frame = next(frames)
                piece.frames.append(frame)
                active = frame[layout.columns("active")] > 0
                onset = frame[layout.columns("onset")] > 0 if layout.has_onsets else active & ~before
                notes += tracker.add_frame(
                    active, onset, frame[layout.columns("velocity")] if layout.has_velocity else None
                )
                before = active
                if time.monotonic() >= deadline:
                    break
            if len(piece.frames) == request.num_frames:
                notes += tracker.end()
            yield {
                "notes": to_json(notes),
                "seconds": line_seconds[tracker.complete_until],
                "num_frames": len(piece.frames),
            }
    except (PianoRollSeq2SeqError, RuntimeError, ValueError, IndexError) as error:
        yield {"error": {"message": f"The model failed: {' '.join(str(error).split())}"}}
        return
    yield {"done": True}


def _generated_frames(request: GenerationRequest) -> Iterator[np.ndarray]:
    """Each frame after the primer, without end."""
    layout = request.trained.layout
    for (frame,) in generate_frames(
        request.trained.model,
        request.primer.to_frames(layout)[np.newaxis],
        sampler=request.sampler,
        seed=request.seed,
        condition=request.condition,
        layout=layout,
    ):
        yield frame
