"""The generation of a piece, as parts that a page plays and draws while the model still writes."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.display.html.player_data import VELOCITY, PlayerData, beat_seconds, rounded
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.sampling import generate_frames
from pianoroll_seq2seq.studio.generation_request import GenerationRequest
from pianoroll_seq2seq.studio.note_tracker import NoteTracker
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
    primer = request.primer
    tracker = NoteTracker(primer.pitches)
    lines = np.arange(len(primer) + request.num_frames + 1)
    line_seconds = rounded(primer.grid.seconds_at(lines, primer.tempo))

    def to_json(notes: list[tuple[int, int, int]]) -> list[list[float]]:
        return [[line_seconds[onset], line_seconds[end], pitch, VELOCITY] for onset, end, pitch in sorted(notes)]

    notes = [note for planes in zip(primer.active, primer.onset, strict=True) for note in tracker.add_frame(*planes)]
    yield {
        "opening": PlayerData(
            name="",
            seconds=line_seconds[tracker.complete_until],
            primer_seconds=line_seconds[len(primer)],
            lowest=primer.pitches.lowest,
            highest=primer.pitches.highest,
            beats=beat_seconds(primer, extra_beats=1),
            notes=to_json(notes),
        )
    }
    frames = _generated_frames(request)
    try:
        while len(piece.frames) < request.num_frames:
            notes = []
            deadline = time.monotonic() + PART_SECONDS
            while len(piece.frames) < request.num_frames:
                planes = next(frames)
                piece.frames.append(planes)
                notes += tracker.add_frame(*planes)
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


def _generated_frames(
    request: GenerationRequest,
) -> Iterator[tuple[Bool[np.ndarray, " pitches"], Bool[np.ndarray, " pitches"]]]:
    """The active and the onset plane of each frame after the primer, without end."""
    primer, layout = request.primer, request.trained.layout
    before = primer.active[-1]
    for (frame,) in generate_frames(
        request.trained.model,
        primer.to_frames(layout)[np.newaxis],
        sampler=request.sampler,
        seed=request.seed,
        condition=request.condition,
        layout=layout,
    ):
        active = frame[layout.columns("active")]
        onset = frame[layout.columns("onset")] if layout.has_onsets else active & ~before
        yield active, onset
        before = active
