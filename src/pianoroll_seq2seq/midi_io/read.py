"""MIDI files to scores.

symusic parses notes in ticks, some twenty times as fast as Python can; the careful reader
(:mod:`~pianoroll_seq2seq.midi_io.events`) reads what symusic refuses, misreads or does not report. Both follow the same
rules:

- the delta time of every message counts; a note-on of velocity 0 ends a note;
- an end goes to the oldest sounding note of its track, channel and pitch (first in, first out); a note
  that never ends is dropped, as symusic, pretty_midi and note_seq do (:class:`Policies` can change both);
- programs, pedals and drums belong to the channel, in the order of events over all tracks, and so do messages that
  end all notes of a channel (:mod:`~pianoroll_seq2seq.midi_io.channels`);
- a part is one track's notes on one channel with one program, as drums or not (so every part has notes); the last name
  of a track counts;
- tempi count from every track; the last on a tick wins, in the order of tracks.
"""

import os
from typing import Literal, NamedTuple, Unpack

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import MidiError, SettingsError
from pianoroll_seq2seq.midi_io.channel_messages import DRUM_FLAG
from pianoroll_seq2seq.midi_io.channels import read_channels, sustained
from pianoroll_seq2seq.midi_io.container import open_container
from pianoroll_seq2seq.midi_io.fast import (
    DRUMS,
    PITCHED,
    Voices,
    programs_stay_in_tracks,
    symusic_reads_correctly,
    together_with_symusic,
    track_with_symusic,
)
from pianoroll_seq2seq.midi_io.message_list import marked_end
from pianoroll_seq2seq.midi_io.policy import (
    Policies,
    check_policies,
    choose,
    need_careful_reader,
)
from pianoroll_seq2seq.midi_io.source import MidiSource, bytes_of
from pianoroll_seq2seq.midi_io.walk import VOICE_CHANNEL, VOICE_TRACK
from pianoroll_seq2seq.score import NoteTable, Part, Score
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

_REPAIR = "Copy or download it again, or pass on_damage='salvage' to keep the notes that end before the damage."


class MidiNotes(NamedTuple):
    """The notes of a file, unsorted.

    Attributes:
        columns: onset_tick, end_tick, pitch and velocity of the notes of each part.
        parts: the parts.
        tempo: the tempo map.
        name: the name of the music.
        label: the name of the file in messages.
        end_tick: the end of the silence after the last note, if the file marks it.
    """

    columns: list[list[np.ndarray]]
    parts: tuple[Part, ...]
    tempo: TempoMap
    name: str
    label: str
    end_tick: int | None

    def score(self) -> Score:
        """The notes as a sorted score.

        Raises:
            MidiError: a note past the last tick that is accepted.
        """
        part = np.repeat(np.arange(len(self.parts)), [len(columns[0]) for columns in self.columns])
        nothing = [[np.zeros(0, dtype=np.int64)] * 4]
        onset, end, pitch, velocity = map(np.concatenate, zip(*(self.columns or nothing), strict=True))
        try:
            notes = NoteTable(onset, end, pitch, velocity, part)
            return Score(notes, self.tempo, self.parts, self.name, self.end_tick)
        except MidiError as error:
            raise MidiError(f"{self.label}: {error}") from error


def read_midi(
    source: MidiSource,
    *,
    name: str | None = None,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    **policies: Unpack[Policies],
) -> Score:
    """Reads a MIDI file into a :class:`Score`: notes in ticks, exact tempo map, parts.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        name: the name of the score; the file's name without its ending by default.
        on_damage: what to do with a truncated or invalid file: raise an error, or keep all notes that end before the
            damage (in each track) and skip tempi of 0.
        limits: how large the file may be.
        **policies: what counts as a note: see :class:`Policies`.

    Raises:
        MidiNotFoundError: no file at that path.
        MidiError: an empty, truncated or damaged file, or not a MIDI file.
        LimitError: a file larger than the limits allow.
        SettingsError: a source that is no file, or an unknown value of ``on_damage`` or of a policy.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
        >>> from pianoroll_seq2seq.midi_io import write_midi
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     score = read_midi(write_midi(scale_chords()["scale_c_major"], f"{folder}/scale.mid"))
        >>> [part.name for part in score.parts], score.notes.pitch[:4].tolist()
        (['C Major'], [48, 50, 52, 53])
    """
    return read_notes(source, name=name, on_damage=on_damage, limits=limits, **policies).score()


def read_notes(
    source: MidiSource,
    *,
    name: str | None = None,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    parts: bool = True,
    **policies: Unpack[Policies],
) -> MidiNotes:
    """:func:`read_midi` without sorting the notes.

    Args:
        source: as for :func:`read_midi`, as are ``name``, ``on_damage``, ``limits`` and the policies.
        name: the name of the score.
        on_damage: what to do with damaged files.
        limits: how large the file may be.
        parts: whether to separate all parts; if not, there may be only two, the pitched parts and the drums, which
            is faster.
        **policies: see :class:`Policies`.
    """
    if on_damage not in ("error", "salvage"):
        raise SettingsError(f"on_damage must be 'error' or 'salvage', got {on_damage!r}.")
    check_policies(policies)
    data, label = bytes_of(source, limits)
    if name is None:
        name = os.path.splitext(os.path.basename(label))[0]
    salvage = on_damage == "salvage"
    container = open_container(data, label, salvage=salvage)
    if container.damage and not salvage:
        raise MidiError(f"{label}: {container.damage}. {_REPAIR}")
    parts = parts or policies.get("overlaps") == "cut"  # notes of different parts do not cut one another
    loops.begin_file()
    if loops.is_active() or need_careful_reader(policies) or not symusic_reads_correctly(data, container):
        voices = _carefully(data, container.spans, label, salvage=salvage, policies=policies, parts=parts)
    else:
        loops.count_bytes(len(data))
        together = together_with_symusic(data) if container.plain and not parts else None
        voices = together or _by_track(container.tracks(data), label, salvage=salvage, policies=policies)
        if together is None and parts and not programs_stay_in_tracks(container.tracks(data), voices.parts):
            voices = _carefully(data, container.spans, label, salvage=salvage, policies=policies)
    columns = [choose(part, policies) for part in voices.columns] if policies else voices.columns
    changes = voices.changes
    if salvage:
        changes = [(tick, us_per_beat) for tick, us_per_beat in changes if us_per_beat > 0 and tick <= MAX_TICK]
    try:
        end_tick = marked_end(data, container.spans)
        return MidiNotes(columns, tuple(voices.parts), container.tempo(changes), name, label, end_tick)
    except MidiError as error:
        raise MidiError(f"{label}: {error} Pass on_damage='salvage' to skip such changes.") from error


def _by_track(tracks: list[bytes], label: str, *, salvage: bool, policies: Policies) -> Voices:
    """Reads track by track, so that each part has its track's number; the careful reader reads what symusic cannot."""
    columns: list[list[np.ndarray]] = []
    parts: list[Part] = []
    changes: list[tuple[int, int]] = []
    for index, track in enumerate(tracks):
        voices = track_with_symusic(track, index)
        if voices is None:
            voices = _carefully(track, [(0, len(track))], label, salvage=salvage, policies=policies, first_track=index)
        columns += voices.columns
        parts += voices.parts
        changes += voices.changes
    return Voices(columns, parts, changes)


def _carefully(
    data: bytes,
    spans: list[tuple[int, int]],
    label: str,
    *,
    salvage: bool,
    policies: Policies,
    first_track: int = 0,
    parts: bool = True,
) -> Voices:
    """Reads tracks event by event, with the policies that need the events."""
    sustain = policies.get("sustain", False)
    last_in_first_out = policies.get("pairing", "first") == "last"
    events = read_channels(data, spans, last_in_first_out=last_in_first_out, pedals=sustain, programs=parts)
    if not salvage:
        for track, damage in enumerate(events.damages, first_track):
            if damage is not None:
                raise MidiError(f"{label}: track {track} is damaged: {damage}. {_REPAIR}")
    onset, end, pitch, velocity, voice = events[:5]
    if policies.get("unended", "drop") == "hold":
        end = np.where(end < 0, events.ends[voice >> VOICE_TRACK], end)
    dropped = (end < 0) | (end > MAX_TICK) if salvage else end < 0
    if sustain:
        end = np.maximum(end, sustained(events))
        if salvage:
            end = np.minimum(end, MAX_TICK)
    if dropped.any():
        onset, end, pitch, velocity, voice = (column[~dropped] for column in (onset, end, pitch, velocity, voice))
    last = int(end.max(initial=0))
    if last > MAX_TICK:
        track = int(voice[np.argmax(end)] >> VOICE_TRACK) + first_track
        raise MidiError(
            f"{label}: track {track} has a note that ends at tick {last}, past {MAX_TICK}, the last one. {_REPAIR}"
        )
    columns = [onset, end, pitch, velocity]
    if not parts:
        drums = voice & DRUM_FLAG > 0
        return Voices(*_pitched_and_drums(columns, drums), events.tempi)
    order = np.argsort(voice, kind="stable")
    voices, begins = np.unique(voice[order], return_index=True)
    places = np.split(order, begins[1:]) if len(order) else []
    return Voices(
        [[column[place] for column in columns] for place in places],
        [_part(int(one), events.names, first_track) for one in voices],
        events.tempi,
    )


def _part(voice: int, names: list[bytes], first_track: int) -> Part:
    track, channel, program = voice >> VOICE_TRACK, voice >> VOICE_CHANNEL & 0x0F, voice & 0x7F
    name = names[track].decode("utf-8", errors="replace")
    return Part(name, program, voice & DRUM_FLAG > 0, track + first_track, channel)


def _pitched_and_drums(columns: list[np.ndarray], drums: np.ndarray) -> tuple[list[list[np.ndarray]], list[Part]]:
    """The notes in at most two parts, the pitched ones and the drums."""
    if not drums.any():
        return ([columns], [PITCHED]) if len(drums) else ([], [])
    kinds = [(part, chosen) for part, chosen in ((PITCHED, ~drums), (DRUMS, drums)) if chosen.any()]
    return [[column[chosen] for column in columns] for _, chosen in kinds], [part for part, _ in kinds]
