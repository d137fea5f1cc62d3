"""Scores to and from ``PrettyMIDI`` objects.

The writer of pretty_midi would lose notes shorter than a tick (their end comes before their onset), and round tempi
down; ours does not.
"""

import io
import math
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.controllers import CONTROL_CHANGE, Controllers
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io.message_list import END_OF_MUSIC
from pianoroll_seq2seq.midi_io.write import channels_of, to_midi_bytes
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature, is_time_signature
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

if TYPE_CHECKING:
    import pretty_midi

_SUSTAIN_PEDAL = 64
_NO_PEDALS = Controllers.empty()


def score_to_pretty_midi(score: Score) -> "pretty_midi.PrettyMIDI":
    """A score as a ``PrettyMIDI`` object, by way of a MIDI file in memory."""
    import pretty_midi

    return pretty_midi.PrettyMIDI(io.BytesIO(to_midi_bytes(score)))


def pretty_midi_to_bytes(midi: "pretty_midi.PrettyMIDI") -> bytes:
    """The notes, sustain pedals, tempi and signatures of a ``PrettyMIDI`` object as a MIDI file.

    Times are at the nearest tick.

    Warns of what a MIDI file cannot hold: notes of velocity 0 are left out, those before 0 seconds moved there, and
    more than fifteen instruments or several drum kits share channels.

    Raises:
        MidiError: values out of the range of MIDI.
    """
    silent = sum(note.velocity == 0 for instrument in midi.instruments for note in instrument.notes)
    early = sum(note.start < 0 for instrument in midi.instruments for note in instrument.notes)
    if silent:
        warnings.warn(f"{silent} notes of the PrettyMIDI object have velocity 0; left out.", stacklevel=3)
    if early:
        warnings.warn(f"{early} notes of the PrettyMIDI object begin before 0 s; moved to 0 s.", stacklevel=3)
    rows, parts, pedals = [], [], []
    for index, instrument in enumerate(midi.instruments):
        parts.append(Part(str(instrument.name or ""), int(instrument.program), bool(instrument.is_drum)))
        for note in instrument.notes:
            onset, end = _tick(midi, note.start), _tick(midi, note.end)
            if note.velocity:
                rows.append((onset, max(onset, end), note.pitch, note.velocity, index))
        for change in instrument.control_changes:
            if change.number == _SUSTAIN_PEDAL:
                if change.value not in range(128):
                    raise MidiError(
                        f"Instrument {index} of the PrettyMIDI object: a pedal must be in 0..127, got {change.value!r} "
                        f"at {change.time} s."
                    )
                pedals.append((_tick(midi, change.time), index, CONTROL_CHANGE, _SUSTAIN_PEDAL, int(change.value)))
    channels = channels_of(parts)
    count = Counter(channels)
    shared = [index for index, channel in enumerate(channels) if count[channel] > 1]
    if {index for _, index, *_ in pedals}.intersection(shared):
        warnings.warn(
            f"{len(shared)} instruments of the PrettyMIDI object share MIDI channels, and so their sustain pedals.",
            stacklevel=3,
        )
    ends = [int(midi.time_to_tick(text.time)) for text in midi.text_events if text.text == END_OF_MUSIC]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    score = Score(
        NoteTable(*(np.array(column) for column in columns)),
        _tempo_of(midi),
        tuple(parts),
        end_tick=max(ends, default=None),
        meter=_meter_of(midi),
        controllers=Controllers(*(np.array(column) for column in zip(*pedals, strict=True))) if pedals else _NO_PEDALS,
    )
    return to_midi_bytes(score)


def _meter_of(midi: "pretty_midi.PrettyMIDI") -> Meter:
    """The signatures. A key signature of pretty_midi is its tonic (0 is C) and, from 12 on, minor."""
    times = [(_tick(midi, one.time), one.numerator, one.denominator) for one in midi.time_signature_changes]
    keys = [(_tick(midi, one.time), one.key_number) for one in midi.key_signature_changes]
    return Meter(
        [TimeSignature(*row) for row in times if is_time_signature(*row[1:])],
        [KeySignature(tick, minor=number >= 12).transpose(number + 3 * (number >= 12)) for tick, number in keys],
    )


def _tick(midi: "pretty_midi.PrettyMIDI", seconds: float) -> int:
    """The tick at a time.

    Raises:
        MidiError: no time, or one too late for a MIDI file.
    """
    tick = midi.time_to_tick(seconds) if math.isfinite(seconds) else math.inf
    if tick > MAX_TICK:
        raise MidiError(
            f"Times of the PrettyMIDI object must be finite and at tick {MAX_TICK} at the latest, got {seconds} s."
        )
    return int(tick)


def _tempo_of(midi: "pretty_midi.PrettyMIDI") -> TempoMap:
    seconds, beats_per_minute = midi.get_tempo_changes()
    return TempoMap(
        int(midi.resolution),
        [
            (int(midi.time_to_tick(time)), round(60_000_000 / bpm))
            for time, bpm in zip(seconds.tolist(), beats_per_minute.tolist(), strict=True)
        ],
    )
