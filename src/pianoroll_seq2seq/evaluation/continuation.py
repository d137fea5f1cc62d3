"""Metrics of one continuation: how much it repeats, rests, and leaves the scale."""

from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.data.splitting import pitch_class_set
from pianoroll_seq2seq.evaluation.pitched import merge_pitched, notes_at_once, pitched_notes
from pianoroll_seq2seq.pianoroll import PianoRoll


@dataclass(frozen=True)
class ContinuationMetrics:
    """Metrics of one continuation."""

    longest_repeat_frames: int
    """Longest run of frames with the same pitches, silent frames excluded. Parts count together, without drums."""
    silent_share: float
    """Share of frames in which nothing sounds, drums included."""
    in_scale_share: float
    """Share of the notes whose pitch class is in the scale, without drums; 0 without notes."""
    polyphony: float
    """Mean number of notes in a frame in which a pitch sounds; 0 without notes."""
    num_notes: int
    """Number of notes, drums included."""

    @classmethod
    def of(cls, continuation: PianoRoll, scale: PianoRoll) -> "ContinuationMetrics":
        """Measures a continuation.

        Args:
            continuation: the generated music.
            scale: music whose pitch classes are the scale: a long primer, or the whole piece that the primer is from.

        Example:
            >>> from pianoroll_seq2seq import PitchRange
            >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
            >>> measured = ContinuationMetrics.of(scale[:6], scale[:3])
            >>> measured.num_notes, measured.in_scale_share
            (6, 0.5)
        """
        active = merge_pitched(continuation).active
        sounding = np.asarray(active.any(axis=1))
        longest = run = 0
        for frame in range(len(active)):
            repeated = frame > 0 and sounding[frame] and np.array_equal(active[frame], active[frame - 1])
            run = run + 1 if repeated else int(sounding[frame])
            longest = max(longest, run)
        pitch = pitched_notes(continuation).pitch
        in_scale = np.isin(pitch % 12, sorted(pitch_class_set(scale)))
        return cls(
            longest_repeat_frames=longest,
            silent_share=float((~continuation.active.any(axis=1)).mean()) if len(active) else 0.0,
            in_scale_share=float(in_scale.mean()) if len(pitch) else 0.0,
            polyphony=float(notes_at_once(continuation).sum() / max(int(sounding.sum()), 1)),
            num_notes=len(continuation.notes().pitch),
        )
