"""The voices of a roll: the one pitch that each part has in each frame."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll

REST = -1
"""The pitch of a voice that is silent."""


class Voices(NamedTuple):
    """The voices of a roll, in the order of its parts, without drums.

    Attributes:
        names: the name of each voice's part.
        pitch: MIDI pitches of shape (frames, voices), :data:`REST` where a voice is silent.
        onset: bool of the same shape: a note of the voice begins there. A note that sounds in the first frame begins
            there.
        is_monophonic: whether no part has two pitches in a frame.
    """

    names: tuple[str, ...]
    pitch: Int64[np.ndarray, "frames voices"]
    onset: Bool[np.ndarray, "frames voices"]
    is_monophonic: bool


class Segments(NamedTuple):
    """The notes and rests of one voice, one after the other.

    Attributes:
        begin: the first frame of each; int64 of shape (segments,), as are the others.
        length: the number of its frames.
        pitch: its MIDI pitch; :data:`REST` for a rest.
    """

    begin: Int64[np.ndarray, " segments"]
    length: Int64[np.ndarray, " segments"]
    pitch: Int64[np.ndarray, " segments"]


def voices_of(roll: PianoRoll) -> Voices:
    """The voices of a roll. A part with several pitches in a frame is represented by the highest.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> melody = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
        >>> bass = PianoRoll.silent(3, pitches=PitchRange(36, 59))
        >>> voices_of(PianoRoll.stack({"melody": melody, "bass": bass})).pitch.tolist()
        [[60, -1], [61, -1], [62, -1]]
    """
    parts = [part for part in roll.parts if not part.drums]
    starts = roll.note_starts()
    pitch = np.full((len(roll), len(parts)), REST, dtype=np.int64)
    onset = np.zeros(pitch.shape, dtype=bool)
    is_monophonic = True
    for voice, part in enumerate(parts):
        columns = roll.columns(part.name)
        active = roll.active[:, columns]
        sounding = active.any(axis=1)
        is_monophonic = is_monophonic and not bool((active.sum(axis=1) > 1).any())
        highest = active.shape[1] - 1 - active[:, ::-1].argmax(axis=1)
        pitch[sounding, voice] = part.pitches.lowest + highest[sounding]
        begins = starts[np.arange(len(roll)), columns.start + highest]
        begins[:1] = True
        begins[1:] |= pitch[1:, voice] != pitch[:-1, voice]
        onset[:, voice] = sounding & begins
    return Voices(tuple(part.name for part in parts), pitch, onset, is_monophonic)


def voice_index(voices: Voices, name: str | None, *, label: str) -> int:
    """The index of a voice by the name of its part; the first by default.

    Raises:
        SettingsError: fewer than two voices, or none of this name.
    """
    if len(voices.names) < 2:
        raise SettingsError(
            f"{label} has {len(voices.names)} parts with pitches, but a melody and its harmony are at least two. Read "
            f"the file with parts='tracks'."
        )
    if name is None:
        return 0
    if name not in voices.names:
        raise SettingsError(f"{label} has no part {name!r} with pitches. It has {', '.join(map(repr, voices.names))}.")
    return voices.names.index(name)


def segments(pitch: Int64[np.ndarray, " frames"], onset: Bool[np.ndarray, " frames"]) -> Segments:
    """The notes and rests of one voice, from a column of :class:`Voices`.

    Example:
        >>> segments(np.array([60, 60, 60, -1]), np.array([True, False, True, False]))
        Segments(begin=array([0, 2, 3]), length=array([2, 1, 1]), pitch=array([60, 60, -1]))
    """
    begins = onset.copy()
    begins[:1] = True
    begins[1:] |= pitch[1:] != pitch[:-1]
    begin = np.flatnonzero(begins)
    return Segments(begin, np.diff(begin, append=len(pitch)), pitch[begin])


def num_beats(roll: PianoRoll) -> float:
    """The length of a roll in beats (quarter notes)."""
    if isinstance(roll.grid, BeatGrid):
        return len(roll) / roll.grid.frames_per_beat
    return float(roll.grid.ticks_at(np.array([len(roll)]), roll.tempo)[0] / roll.tempo.ticks_per_beat)
