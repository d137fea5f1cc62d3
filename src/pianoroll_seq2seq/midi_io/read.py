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
- tempi and signatures count from every track; the last on a tick wins, in the order of tracks.
"""

import os
from typing import Literal, NamedTuple, Unpack

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.controllers import Controllers
from pianoroll_seq2seq.errors import LimitError, MidiError, SettingsError
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io.channel_messages import DRUM_FLAG
from pianoroll_seq2seq.midi_io.channels import read_channels, sustained
from pianoroll_seq2seq.midi_io.container import Container, open_container
from pianoroll_seq2seq.midi_io.events import check_num_parts
from pianoroll_seq2seq.midi_io.fast import (
    DRUMS,
    PITCHED,
    Voices,
    programs_stay_in_tracks,
    symusic_reads_correctly,
    together_with_symusic,
    track_with_symusic,
)
from pianoroll_seq2seq.midi_io.message_list import controllers_of, marked_end
from pianoroll_seq2seq.midi_io.policy import (
    Policies,
    check_policies,
    choose,
    need_careful_reader,
)
from pianoroll_seq2seq.midi_io.signature_events import Signatures
from pianoroll_seq2seq.midi_io.source import MidiSource, bytes_of
from pianoroll_seq2seq.midi_io.walk import VOICE_CHANNEL, VOICE_TRACK
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

_MANY_TRACKS = 5_000  # are short, and take the careful reader less time than a call of symusic for each
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
        last_tick: the tick at which the last track ends, if the reader met it.
        meter: the time and key signatures.
        controllers: the controllers, if ``controllers=True``.
    """

    columns: list[list[np.ndarray]]
    parts: tuple[Part, ...]
    tempo: TempoMap
    name: str
    label: str
    end_tick: int | None
    last_tick: int | None
    meter: Meter
    controllers: Controllers

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
            return Score(notes, self.tempo, self.parts, self.name, self.end_tick, self.meter, self.controllers)
        except MidiError as error:
            raise MidiError(f"{self.label}: {error}") from error


def read_midi(
    source: MidiSource,
    *,
    name: str | None = None,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    controllers: bool = False,
    **policies: Unpack[Policies],
) -> Score:
    """Reads a MIDI file into a :class:`Score`: notes in ticks, exact tempo map, parts, time and key signatures.

    Signatures that cannot be, such as a key of nine sharps, are left out.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        name: the name of the score; the file's name without its ending by default.
        on_damage: what to do with a truncated or invalid file: raise an error, or keep all notes that end before the
            damage (in each track) and skip tempi of 0.
        limits: how large the file may be, and how many parts and controllers it may have.
        controllers: whether to keep pedals, volumes, pitch bends, pressure and all other controllers. A controller
            acts on all parts of its channel, in whichever track it is. Those of channels without notes are left out.
        **policies: what counts as a note: see :class:`Policies`.

    Raises:
        MidiNotFoundError: no file at that path.
        MidiError: an empty, truncated or damaged file, or not a MIDI file.
        LimitError: a file that is larger, or has more parts or controllers, than the limits allow.
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
    return read_notes(
        source, name=name, on_damage=on_damage, limits=limits, controllers=controllers, **policies
    ).score()


def read_notes(
    source: MidiSource,
    *,
    name: str | None = None,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    parts: bool = True,
    controllers: bool = False,
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
        controllers: as for :func:`read_midi`; only with ``parts``.
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
    loops.decide()
    try:
        voices = _voices(data, container, label, salvage=salvage, policies=policies, parts=parts, limits=limits)
        acting = Controllers.empty()
        if controllers:
            acting = controllers_of(data, container.spans, voices.parts, max_controllers=limits.max_controllers)
    except LimitError as error:
        raise LimitError(f"{label}: {error}") from error
    columns = choose(voices.columns, policies)
    changes = voices.changes
    if salvage:
        changes = [(tick, us_per_beat) for tick, us_per_beat in changes if us_per_beat > 0 and tick <= MAX_TICK]
    try:
        end_tick = marked_end(data, container.spans)
        tempo = container.tempo(changes)
        meter = voices.signatures.meter()
        return MidiNotes(columns, tuple(voices.parts), tempo, name, label, end_tick, voices.last_tick, meter, acting)
    except MidiError as error:
        raise MidiError(f"{label}: {error} Pass on_damage='salvage' to skip such changes.") from error


def _voices(
    data: bytes,
    container: Container,
    label: str,
    *,
    salvage: bool,
    policies: Policies,
    parts: bool,
    limits: Limits,
) -> Voices:
    """The notes of a file, by the fastest reader that reads them correctly."""
    if not (loops.is_active() or need_careful_reader(policies)) and symusic_reads_correctly(data, container):
        loops.count_bytes(len(data))
        together = together_with_symusic(data, container.spans) if container.plain and not parts else None
        if together is not None:
            return together
        if len(container.spans) <= _MANY_TRACKS:
            tracks = container.tracks(data)
            voices = _by_track(tracks, label, salvage=salvage, policies=policies, limits=limits)
            if voices is not None and (not parts or programs_stay_in_tracks(tracks, voices.parts)):
                return voices
    return _carefully(
        data, container.spans, label, salvage=salvage, policies=policies, parts=parts, max_parts=limits.max_parts
    )


def _by_track(tracks: list[bytes], label: str, *, salvage: bool, policies: Policies, limits: Limits) -> Voices | None:
    """Reads track by track, so that each part has its track's number; the careful reader reads what symusic cannot.

    None if that is most of the file, which is then better read at once.
    """
    found = [track_with_symusic(track, index) for index, track in enumerate(tracks)]
    left = sum(len(track) for track, voices in zip(tracks, found, strict=True) if voices is None)
    if 2 * left > sum(map(len, tracks)):
        return None
    columns: list[list[np.ndarray]] = []
    parts: list[Part] = []
    changes: list[tuple[int, int]] = []
    times: list[tuple[int, int, int]] = []
    keys: list[tuple[int, int, int]] = []
    for index, (track, voices) in enumerate(zip(tracks, found, strict=True)):
        own = voices or _carefully(
            track, [(0, len(track))], label, salvage=salvage, policies=policies, first_track=index
        )
        columns += own.columns
        parts += own.parts
        changes += own.changes
        times += own.signatures.times
        keys += own.signatures.keys
        check_num_parts(len(parts), limits.max_parts)
    return Voices(columns, parts, changes, Signatures(times, keys))


def _carefully(
    data: bytes,
    spans: list[tuple[int, int]],
    label: str,
    *,
    salvage: bool,
    policies: Policies,
    first_track: int = 0,
    parts: bool = True,
    max_parts: int | None = None,
) -> Voices:
    """Reads tracks event by event, with the policies that need the events."""
    sustain = policies.get("sustain", False)
    last_in_first_out = policies.get("pairing", "first") == "last"
    events = read_channels(
        data, spans, last_in_first_out=last_in_first_out, pedals=sustain, programs=parts, max_parts=max_parts
    )
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
    columns, last_tick = [onset, end, pitch, velocity], int(events.ends.max(initial=0))
    if not parts:
        drums = voice & DRUM_FLAG > 0
        return Voices(*_pitched_and_drums(columns, drums), events.tempi, events.signatures, last_tick)
    order = np.argsort(voice, kind="stable")
    voices, begins = np.unique(voice[order], return_index=True)
    if max_parts is not None:  # other tracks may have changed the programs
        check_num_parts(len(voices), max_parts)
    places = np.split(order, begins[1:]) if len(order) else []
    return Voices(
        [[column[place] for column in columns] for place in places],
        [_part(int(one), events.names, first_track) for one in voices],
        events.tempi,
        events.signatures,
        last_tick,
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
