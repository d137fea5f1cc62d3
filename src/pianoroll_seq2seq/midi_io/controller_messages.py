"""The controllers of a score as messages of a MIDI file."""

from collections.abc import Sequence

import mido
import numpy as np

from pianoroll_seq2seq.controllers import CHANNEL_PRESSURE, CONTROL_CHANGE, KEY_PRESSURE, PITCH_BEND, Controllers
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score

_BANK, _FINE_BANK = 0, 32
_DRUM_BANKS, _MELODIC_BANK = (120, 126, 127), 121
_ENDINGS = (120, 123, 124, 125, 126, 127)


def controller_messages(score: Score, channels: Sequence[int]) -> list[list[tuple[int, mido.Message]]]:
    """The messages of each part's controllers, by tick.

    What a reader would take for an end or for drums is left out (see :func:`~pianoroll_seq2seq.midi_io.write_midi`).
    A program follows each bank, which only then counts. Controllers that several parts of a channel have in common are
    written once.

    Args:
        score: the score.
        channels: the channel of each part.
    """
    if not len(score.controllers):
        return [[] for _ in score.parts]
    written: dict[int, list[Controllers]] = {}
    channel_of_note = np.array(channels)[score.notes.part]
    messages = []
    for part, channel, controllers in zip(
        score.parts, channels, score.controllers.by_part(len(score.parts)), strict=True
    ):
        earlier = written.setdefault(channel, [])
        if len(controllers) and controllers not in earlier:
            earlier.append(controllers)
            harmless = _harmless(controllers, part, score.notes, channel_of_note == channel)
            messages.append(_messages(harmless, part, channel))
        else:
            messages.append([])
    return messages


def _harmless(controllers: Controllers, part: Part, notes: NoteTable, on_channel: np.ndarray) -> Controllers:
    """The controllers that do not change the notes of their channel."""
    changes = controllers.kind == CONTROL_CHANGE
    banks = changes & (controllers.number == _BANK)
    harmful = banks & ((controllers.value == _MELODIC_BANK) if part.drums else np.isin(controllers.value, _DRUM_BANKS))
    endings = changes & np.isin(controllers.number, _ENDINGS)
    if endings.any():
        lasting = on_channel & (notes.onset_tick < notes.end_tick)
        begun = np.searchsorted(notes.onset_tick[lasting], controllers.tick)  # notes that begin before the controller
        ended = np.searchsorted(np.sort(notes.end_tick[lasting]), controllers.tick, side="right")
        harmful |= endings & (begun > ended)
    return controllers.where(~harmful) if harmful.any() else controllers


def _messages(controllers: Controllers, part: Part, channel: int) -> list[tuple[int, mido.Message]]:
    """Messages of mido's, with a program after the banks of each tick."""
    columns = (controllers.tick, controllers.kind, controllers.number, controllers.value)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    messages: list[tuple[int, mido.Message]] = []
    bank_tick = None
    for tick, kind, number, value in rows:
        if bank_tick not in (None, tick):
            messages.append((bank_tick, mido.Message("program_change", program=part.program, channel=channel)))
            bank_tick = None
        messages.append((tick, _message(kind, number, value, channel)))
        if kind == CONTROL_CHANGE and number in (_BANK, _FINE_BANK):
            bank_tick = tick
    if bank_tick is not None:
        messages.append((bank_tick, mido.Message("program_change", program=part.program, channel=channel)))
    return messages


def _message(kind: int, number: int, value: int, channel: int) -> mido.Message:
    if kind == CONTROL_CHANGE:
        return mido.Message("control_change", channel=channel, control=number, value=value)
    if kind == KEY_PRESSURE:
        return mido.Message("polytouch", channel=channel, note=number, value=value)
    if kind == PITCH_BEND:
        return mido.Message("pitchwheel", channel=channel, pitch=value)
    assert kind == CHANNEL_PRESSURE
    return mido.Message("aftertouch", channel=channel, value=value)
