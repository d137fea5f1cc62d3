"""Frames of an answer as MIDI messages."""

from collections.abc import Sequence

import mido
import numpy as np

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io.write import channels_of
from pianoroll_seq2seq.parts import DRUM_CHANNEL

_ALL_NOTES_OFF, _SUSTAIN = 123, 64
_CLICK, _DOWNBEAT_CLICK = 77, 76  # low and high wood block
_CLICK_VELOCITY = 90
_OF_PLAYER = frozenset(
    ("note_on", "note_off", "control_change", "pitchwheel", "aftertouch", "polytouch", "program_change")
)


class Voices:
    """The notes that sound on the output.

    Each part has a channel of its own, that of the drums for drums.

    Args:
        layout: what the columns of a frame mean.
    """

    def __init__(self, layout: FrameLayout) -> None:
        """Starts in silence."""
        self._layout = layout
        channels = channels_of(layout.parts)
        self._pitches = layout.column_pitches()[: layout.plane_size].tolist()
        self._channels = np.repeat(channels, [len(part.pitches) for part in layout.parts]).tolist()
        self._programs = [
            (channel, part.program)
            for channel, part in zip(channels, layout.parts, strict=True)
            if part.program and not part.drums
        ]
        self._sounding = np.zeros(layout.plane_size, dtype=bool)
        self._through: set[tuple[int, int]] = set()
        self._used = sorted(set(self._channels))

    def programs(self) -> list[mido.Message]:
        """The programs of the parts that are no piano."""
        return [mido.Message("program_change", channel=channel, program=program) for channel, program in self._programs]

    def frame(self, frame: np.ndarray, *, velocity: int) -> list[mido.Message]:
        """The messages of a line: notes end, and notes begin.

        Args:
            frame: the frame after the line, (frame_size,).
            velocity: of the notes, if the model writes none.
        """
        layout = self._layout
        active = frame[layout.columns("active")] > 0
        onset = active & ~self._sounding
        if layout.has_onsets:
            onset = onset | (active & (frame[layout.columns("onset")] > 0))
        messages = self._off(np.flatnonzero(self._sounding & (~active | onset)))
        for column in np.flatnonzero(onset).tolist():
            level = int(frame[layout.columns("velocity")][column]) if layout.has_velocity else 0
            messages.append(self._message("note_on", column, level or velocity))
        self._sounding = active
        return messages

    def through(self, message: mido.Message) -> mido.Message:
        """A message of the player for the output, whose notes are remembered."""
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                self._through.add(key)
            else:
                self._through.discard(key)
        return message

    def stop(self) -> list[mido.Message]:
        """Ends the notes of the answer."""
        messages = self._off(np.flatnonzero(self._sounding))
        self._sounding = np.zeros_like(self._sounding)
        return messages

    def panic(self) -> list[mido.Message]:
        """Ends all notes, those of the player too."""
        messages = self.stop()
        messages += [mido.Message("note_off", channel=channel, note=note) for channel, note in sorted(self._through)]
        channels = sorted({*self._used, *(channel for channel, _ in self._through)})
        self._through.clear()
        for control in (_SUSTAIN, _ALL_NOTES_OFF):
            messages += [mido.Message("control_change", channel=channel, control=control) for channel in channels]
        return messages

    def _off(self, columns: np.ndarray) -> list[mido.Message]:
        return [self._message("note_off", column, 0) for column in columns.tolist()]

    def _message(self, kind: str, column: int, velocity: int) -> mido.Message:
        return mido.Message(kind, channel=self._channels[column], note=self._pitches[column], velocity=velocity)


def click(*, downbeat: bool) -> Sequence[mido.Message]:
    """A beat of the metronome, on the channel of the drums."""
    note = _DOWNBEAT_CLICK if downbeat else _CLICK
    return [
        mido.Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=_CLICK_VELOCITY),
        mido.Message("note_off", channel=DRUM_CHANNEL, note=note),
    ]


def is_played(message: mido.Message) -> bool:
    """Whether a message is of the player, not of the device: the clock and system messages are not."""
    return message.type in _OF_PLAYER
