"""Generated music, and the slow exact reference that it is measured against.

The strategies make what users' files hold; the reference counts in ``fractions.Fraction`` over mido's own
events and shares no code with the library.
"""

import io
import random
from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain
from math import floor
from typing import NamedTuple

import mido
import numpy as np
from hypothesis import strategies as st

from pianoroll_seq2seq.controllers import CHANNEL_PRESSURE, CONTROL_CHANGE, KEY_PRESSURE, PITCH_BEND, Controllers
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

# ---------------------------------------------------------------------------------------------- strategies

DIVISIONS = st.one_of(st.sampled_from([1, 24, 96, 220, 480, 960, 1024, 32_767]), st.integers(1, 32_767))
"""Ticks per beat, any that a file may have."""

TEMPI = st.one_of(st.sampled_from([1, 250_000, 500_000, 428_571, 2**24 - 1]), st.integers(1, 2**24 - 1))
"""Microseconds per beat, any that a file may have."""

PLAYABLE_TEMPI = st.one_of(st.sampled_from([500_000, 428_571]), st.integers(200_000, 1_500_000))
"""Microseconds per beat of music that people play: 40 to 300 beats per minute."""

ORDINARY_TICKS = st.integers(0, 20_000)
"""Ticks as they are in songs."""

TICKS = st.one_of(ORDINARY_TICKS, st.integers(0, MAX_TICK), st.integers(MAX_TICK - 5, MAX_TICK))
"""Ticks up to the last one accepted: lines of odd grids need more than 64 bits there."""

MIDI_VALUES = st.integers(0, 127)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def _built(make, *arguments):
    """What ``make`` gives, with Python's random state left alone.

    The run-time type check looks at a random item of each list, and Hypothesis wants strategies to depend
    on its own choices alone.
    """
    state = random.getstate()
    try:
        return make(*arguments)
    finally:
        random.setstate(state)


def note_table(rows) -> NoteTable:
    """From rows of onset_tick, end_tick, pitch, velocity and part."""
    return NoteTable(*([row[column] for row in rows] for column in range(5)))


def tempo_maps(divisions=DIVISIONS, ticks=TICKS, tempi=TEMPI, max_changes: int = 6):
    changes = st.lists(st.tuples(ticks, tempi), max_size=max_changes)
    return st.tuples(divisions, changes).map(lambda values: _built(TempoMap, *values))


SONG_TEMPI = tempo_maps(st.sampled_from([220, 480, 960]), st.integers(0, 8_000), PLAYABLE_TEMPI)
"""Tempo maps with ticks finer than any of ``GRIDS``."""

GRIDS = st.sampled_from([SecondsGrid(0.02), SecondsGrid(1 / 60), BeatGrid(4), BeatGrid(3)])


def meters(ticks=TICKS, max_signatures: int = 4):
    """Any time and key signatures."""
    denominators = st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128])
    numerators = st.one_of(st.integers(1, 12), st.integers(1, 255))
    times = st.lists(st.builds(TimeSignature, ticks, numerators, denominators), max_size=max_signatures)
    keys = st.lists(st.builds(KeySignature, ticks, st.integers(-7, 7), st.booleans()), max_size=max_signatures)
    return st.builds(Meter, times, keys)


def _controllers(ticks):
    """Rows of tick, kind, number and value that change neither the ends of notes nor drums."""
    value = st.integers(0, 127)
    harmless = st.sampled_from([number for number in range(1, 128) if number not in (120, 123, 124, 125, 126, 127)])
    return st.lists(
        st.one_of(
            st.tuples(ticks, st.just(CONTROL_CHANGE), harmless, value),
            st.tuples(ticks, st.just(CONTROL_CHANGE), st.sampled_from([0, 32]), st.integers(0, 119)),
            st.tuples(ticks, st.just(KEY_PRESSURE), value, value),
            st.tuples(ticks, st.just(CHANNEL_PRESSURE), st.just(0), value),
            st.tuples(ticks, st.just(PITCH_BEND), st.just(0), st.integers(-8192, 8191)),
        ),
        max_size=8,
    )


def controllers_of_rows(rows) -> Controllers:
    """From rows of tick, part, kind, number and value."""
    return Controllers(*([row[column] for row in rows] for column in range(5)))


@st.composite
def scores(draw, ticks=TICKS, *, complete: bool = False):
    """Scores that a MIDI file can hold: notes of one part and pitch end in the order in which they began.

    With ``complete`` they have signatures and controllers, which drums share.
    """
    parts = draw(st.lists(st.builds(Part, NAMES, st.integers(0, 127), st.booleans()), min_size=1, max_size=4))
    rows: list[tuple[int, int, int, int, int]] = []
    for part in range(len(parts)):
        for pitch in draw(st.lists(st.integers(0, 127), min_size=1, max_size=3, unique=True)):
            spans = draw(st.lists(st.tuples(ticks, ticks).map(sorted), min_size=1, max_size=4))
            onsets, ends = (sorted(column) for column in zip(*spans, strict=True))
            rows += [(on, end, pitch, draw(st.integers(1, 127)), part) for on, end in zip(onsets, ends, strict=True)]
    score = _built(Score, _built(note_table, rows), draw(tempo_maps(ticks=ticks)), tuple(parts))
    if not complete:
        return score
    of_drums = draw(_controllers(ticks))
    acting = [
        (tick, index, *rest)
        for index, part in enumerate(parts)
        for tick, *rest in (of_drums if part.drums else draw(_controllers(ticks)))
    ]
    return _built(partial(replace, score, meter=draw(meters(ticks)), controllers=controllers_of_rows(acting)))


@st.composite
def part_rolls(draw, max_parts: int = 3) -> PianoRoll:
    """Rolls of one to three named parts, some with drums, some with velocities, some cut out of longer music."""
    names = draw(st.lists(st.text("abcd", min_size=1, max_size=3), min_size=1, max_size=max_parts, unique=True))
    parts = tuple(
        Part(
            name, draw(st.integers(0, 127)), draw(st.booleans()), pitches=PitchRange(low, low + draw(st.integers(0, 4)))
        )
        for name in names
        for low in [draw(st.integers(0, 120))]
    )
    shape = (draw(st.integers(0, 6)), sum(len(part.pitches) for part in parts))
    cells = draw(st.lists(st.integers(0, 3), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    kinds = np.array(cells, dtype=np.int64).reshape(shape)  # 0 and 1: silent, 2: held, 3: begins
    active, onset = kinds > 1, kinds == 3
    onset[1:] |= active[1:] & ~active[:-1]
    velocity = None
    if draw(st.booleans()):
        velocity = np.where(onset, draw(st.integers(1, 120)) + np.arange(onset.size).reshape(shape) % 8, 0)
    grid = draw(GRIDS)
    return _built(lambda: PianoRoll(active, onset, grid, tempo=TempoMap(9600), velocity=velocity, parts=parts))


def _messages(tempi):
    """What tracks hold; crowded on few channels and pitches, so that notes overlap and repeat."""
    delta = st.one_of(st.just(0), st.integers(0, 200))
    channel = st.sampled_from([0, 1, 9])
    pitch = st.sampled_from([0, 60, 127])
    velocity = st.integers(0, 127)
    note_on = st.builds(
        lambda time, channel, note, velocity: mido.Message(
            "note_on", time=time, channel=channel, note=note, velocity=velocity
        ),
        delta,
        channel,
        pitch,
        st.one_of(st.just(0), velocity),
    )
    release = st.builds(
        lambda time, channel, note, velocity: mido.Message(
            "note_off", time=time, channel=channel, note=note, velocity=velocity
        ),
        delta,
        channel,
        pitch,
        velocity,
    )
    # A note-on and its note-off, so that there are enough notes; the end may go to an earlier note.
    whole = st.builds(
        lambda note_on, velocity, kind, time: [
            note_on.copy(velocity=velocity),
            mido.Message(kind, time=time, channel=note_on.channel, note=note_on.note, velocity=0),
        ],
        note_on,
        st.integers(1, 127),
        st.sampled_from(["note_on", "note_off"]),
        delta,
    )
    program = st.builds(
        lambda time, channel, program: mido.Message("program_change", time=time, channel=channel, program=program),
        delta,
        channel,
        st.integers(0, 3),
    )
    tempo = st.builds(lambda time, tempo: mido.MetaMessage("set_tempo", time=time, tempo=tempo), delta, tempi)
    # é in Latin-1 is not UTF-8; the others are UTF-8 as mido holds it, a character a byte.
    latin1_names = st.sampled_from(["", "Piano", "Caf\xe9", "\xc3\xa9", "\xe4\xb8\xad"])
    name = st.builds(lambda time, name: mido.MetaMessage("track_name", time=time, name=name), delta, latin1_names)
    others = st.sampled_from(
        [
            mido.Message("control_change", control=64, value=127, time=31),
            mido.Message("pitchwheel", pitch=100, time=7),
            mido.Message("aftertouch", value=3, time=11),
            mido.Message("polytouch", note=60, value=3, time=2),
            mido.Message("sysex", data=(1, 2, 3), time=13),
            mido.MetaMessage("text", text="la", time=17),
            mido.MetaMessage("lyrics", text="la", time=5),
            mido.MetaMessage("time_signature", numerator=3, denominator=4, time=19),
            mido.MetaMessage("time_signature", numerator=6, denominator=8, time=0),
            mido.MetaMessage("time_signature", numerator=4, denominator=256, time=2),
            mido.MetaMessage("key_signature", key="C", time=23),
            mido.MetaMessage("key_signature", key="F#m", time=0),
            mido.MetaMessage("marker", text="A", time=29),
        ]
    )
    single = st.one_of(note_on, release, program, tempo, name, others).map(lambda message: [message])
    return st.one_of(whole, single, whole)


@st.composite
def midi_files(draw, divisions=DIVISIONS, tempi=TEMPI):
    """Raw MIDI files: notes that overlap, never end or end twice, tempi and other messages in every track."""
    file = mido.MidiFile(type=draw(st.sampled_from([0, 1])), ticks_per_beat=draw(divisions))
    most_tracks = 1 if file.type == 0 else 3
    tracks = st.lists(st.lists(_messages(tempi), min_size=2, max_size=16), min_size=1, max_size=most_tracks)
    file.tracks.extend(mido.MidiTrack(chain.from_iterable(track)) for track in draw(tracks))
    return file


SONG_FILES = midi_files(st.integers(24, 1024), PLAYABLE_TEMPI)
"""Files of at most a few minutes, whose rolls fit in memory."""


def file_bytes(file: mido.MidiFile) -> bytes:
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _plane(draw, shape: tuple[int, int]) -> np.ndarray:
    cells = draw(st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return np.array(cells, dtype=bool).reshape(shape)


@st.composite
def planes(draw, max_frames: int = 12, max_columns: int = 4, all_onsets: bool = True, min_frames: int = 0):
    """(active, onset); with ``all_onsets``, every run of active frames begins with an onset."""
    shape = draw(st.integers(min_frames, max_frames)), draw(st.integers(1, max_columns))
    active = _plane(draw, shape)
    onset = active & _plane(draw, shape)
    if all_onsets:
        onset[:1] |= active[:1]
        onset[1:] |= active[1:] & ~active[:-1]
    return active, onset


@st.composite
def rolls(draw, all_onsets: bool = False, playable: bool = False, grids=GRIDS, tempi=SONG_TEMPI):
    """Rolls with tempo changes; ``playable`` ones have all onsets and sound to the end, as a MIDI file does."""
    active, onset = draw(planes(all_onsets=all_onsets or playable, min_frames=1 if playable else 0, max_frames=30))
    if playable:
        onset[-1, 0] |= not active[-1].any()
        active = active | onset
    lowest = draw(st.integers(0, 127 - active.shape[1] + 1))
    pitches = PitchRange(lowest, lowest + active.shape[1] - 1)
    return _built(PianoRoll, active, onset, draw(grids), pitches, draw(tempi), draw(NAMES))


# ----------------------------------------------------------------------------------------------- reference


def half_up(value: Fraction) -> int:
    """The nearest integer, halves up."""
    return floor(value + Fraction(1, 2))


class ExactClock:
    """Seconds at a tick as a fraction, from pairs of (tick, microseconds per beat) in the order of a file."""

    def __init__(self, ticks_per_beat: int, changes) -> None:
        self.ticks_per_beat = ticks_per_beat
        last = {0: 500_000}
        for tick, us_per_beat in changes:
            last[int(tick)] = int(us_per_beat)
        self.ticks, self.tempi = zip(*sorted(last.items()), strict=True)
        self.starts = [Fraction(0)]
        for tick, next_tick, us_per_beat in zip(self.ticks, self.ticks[1:], self.tempi, strict=False):
            lasts = Fraction((next_tick - tick) * us_per_beat, ticks_per_beat * 1_000_000)
            self.starts.append(self.starts[-1] + lasts)

    def seconds(self, tick: int) -> Fraction:
        segment = bisect_right(self.ticks, tick) - 1
        since = (int(tick) - self.ticks[segment]) * self.tempi[segment]
        return self.starts[segment] + Fraction(since, self.ticks_per_beat * 1_000_000)

    @classmethod
    def of(cls, file: mido.MidiFile) -> "ExactClock":
        changes = []
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    changes.append((tick, message.tempo))
        return cls(file.ticks_per_beat, changes)


class ExactNote(NamedTuple):
    onset_tick: int
    end_tick: int
    pitch: int
    drums: bool


def exact_notes(file: mido.MidiFile) -> list[ExactNote]:
    """mido's events paired first in, first out by track, channel and pitch; what never ends is left out."""
    notes = []
    for track in file.tracks:
        tick = 0
        waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            queue = waiting[message.channel, message.note]
            if message.type == "note_on" and message.velocity:
                queue.append(tick)
            elif queue:
                notes.append(ExactNote(queue.popleft(), tick, message.note, message.channel == 9))
    return notes


EXACT_STEPS = {SecondsGrid(0.02): Fraction(1, 50), SecondsGrid(1 / 60): Fraction(1, 60), BeatGrid(4): None}
"""The grids that files are measured on; ``None`` means sixteenths."""


def exact_planes(file: mido.MidiFile, grid, *, drums: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(active, onset) over all 128 pitches, cell by cell from the definition of a frame."""
    clock, step = ExactClock.of(file), EXACT_STEPS[grid]

    def line(tick: int) -> int:
        return half_up(Fraction(4 * tick, file.ticks_per_beat) if step is None else clock.seconds(tick) / step)

    spans = []
    for note in exact_notes(file):
        if drums or not note.drums:
            first = line(note.onset_tick)
            spans.append((first, max(line(note.end_tick), first + 1), note.pitch))
    frames = max((end for _, end, _ in spans), default=0)
    active, onset = np.zeros((frames, 128), dtype=bool), np.zeros((frames, 128), dtype=bool)
    for first, end, pitch in spans:
        active[first:end, pitch] = True
        onset[first, pitch] = True
    return active, onset
