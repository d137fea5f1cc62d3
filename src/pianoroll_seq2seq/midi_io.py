"""Reading and writing MIDI files: the only place that does.

symusic parses notes in ticks, 200 times as fast as mido, and mido reads what symusic refuses. Time is
ours in both cases (:mod:`pianoroll_seq2seq.tempo`). What both readers agree on:

- time counts on every message, not on notes alone; a note-on of velocity 0 ends a note;
- an end goes to the oldest sounding note of its track, channel and pitch (first in, first out); a note
  that never ends is dropped, as symusic, pretty_midi and note_seq do;
- a part is one track's notes on one channel with one program (so every part has notes); channel 10 is
  the drums; a track that is named twice bears its last name;
- tempi count from every track; the last on a tick wins, in the order of tracks.
"""

import io
import os
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import mido
import numpy as np
import symusic

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError
from pianoroll_seq2seq.score import NoteTable, Part, Score
from pianoroll_seq2seq.tempo import TempoMap

_DRUM_CHANNEL = 9  # counted from 0; musicians call it channel 10
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)
_LONGEST_DELTA = 2**28 - 1  # the ticks between two events that four bytes of seven bits can hold


@runtime_checkable
class ByteReader(Protocol):
    """What is asked of an open file."""

    def read(self) -> bytes:
        """All of its bytes."""
        ...


def read_midi(source: str | os.PathLike[str] | bytes | ByteReader, *, name: str | None = None) -> Score:
    """Reads a MIDI file into a :class:`Score`: notes in ticks, exact tempo map, parts.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        name: what to call it in messages; the file's name without its ending by default.

    Raises:
        MidiNotFoundError: no file at that path.
        MidiError: an empty, truncated or damaged file, or not MIDI at all.
    """
    data, label = _bytes_of(source)
    if not data:
        raise MidiError(f"{label}: the file is empty (0 bytes). Copy or download it again.")
    if not data.startswith(b"MThd"):
        raise MidiError(f"{label}: not a MIDI file; it starts with {data[:4]!r}, expected b'MThd'.")
    if len(data) < 14:
        raise MidiError(f"{label}: cut short inside its header ({len(data)} of 14 bytes). Copy or download it again.")
    division = int.from_bytes(data[12:14], "big")
    if not 1 <= division <= 32_767:
        raise MidiError(
            f"{label}: its time division is {division:#06x}, expected 1..32767 ticks per beat "
            f"(SMPTE time codes are not read). Export it again with ticks per quarter note."
        )
    name = name if name is not None else Path(label).stem
    try:
        parsed = symusic.Score.from_midi(data)
    except RuntimeError:  # symusic refuses damaged and unusual files; mido reads some, and says why not
        return _with_mido(data, label, name)
    if _chunks_in(data) < 1 + int.from_bytes(data[10:12], "big"):
        return _with_mido(data, label, name)  # symusic reads what is left of a file cut off between two tracks
    return _from_symusic(parsed, data, label, name)


def write_midi(score: Score, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes a score as a MIDI file (type 1): tempi in the first track, then a track per part.

    ``read_midi(write_midi(score, path)) == score`` for every score whose parts all have notes and in
    which notes of one part and pitch that overlap end in the order in which they began: a MIDI file
    cannot say otherwise.

    Args:
        score: what to write.
        path: where; missing folders are made.
        overwrite: whether a file that stands there may be replaced.

    Returns:
        The path.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
    """
    path = Path(path)
    with writing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(to_midi_bytes(score))
    return path


def to_midi_bytes(score: Score) -> bytes:
    """What :func:`write_midi` writes."""
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_beat, charset="utf-8")
    tempi = [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in score.tempo.changes]
    file.tracks.append(_track(tempi))
    melodic = 0
    for index, part in enumerate(score.parts):
        if part.drums:
            channel = _DRUM_CHANNEL
        else:
            channel = _MELODIC_CHANNELS[melodic % len(_MELODIC_CHANNELS)]
            melodic += 1
        messages = [
            (0, mido.MetaMessage("track_name", name=part.name)),
            (0, mido.Message("program_change", program=part.program, channel=channel)),
            *_note_messages(score.notes.where(score.notes.part == index), channel),
        ]
        file.tracks.append(_track(messages))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _bytes_of(source: str | os.PathLike[str] | bytes | ByteReader) -> tuple[bytes, str]:
    """The file's content, and what to call it in messages."""
    if isinstance(source, bytes):
        return source, "<bytes>"
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes(), os.fspath(source)
        except FileNotFoundError as error:
            raise MidiNotFoundError(f"{os.fspath(source)}: no such file. Check the path.") from error
        except OSError as error:
            raise MidiError(f"{os.fspath(source)}: cannot be read ({error.strerror}).") from error
    return source.read(), str(getattr(source, "name", "<stream>"))


def _chunks_in(data: bytes) -> int:
    """How many chunks the file holds: its header and its tracks."""
    chunks, position = 0, 0
    while position + 8 <= len(data):
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        chunks += 1
    return chunks


def _from_symusic(parsed: Any, data: bytes, label: str, name: str) -> Score:
    columns: list[tuple[np.ndarray, ...]] = []
    tracks = [track for track in parsed.tracks if len(track.notes)]
    for index, track in enumerate(tracks):
        notes = track.notes.numpy()
        onset = notes["time"].astype(np.int64)
        columns.append(
            (onset, onset + notes["duration"], notes["pitch"], notes["velocity"], np.full(len(onset), index))
        )
    changes = [(int(tempo.time), int(tempo.mspq)) for tempo in parsed.tempos]
    if len({tick for tick, _ in changes}) < len(set(changes)):
        # Different tempi on one tick: symusic may hand them over in another order than the file's.
        changes = _tempo_changes(_parse_with_mido(data, label))
    parts = tuple(Part(track.name, track.program, track.is_drum) for track in tracks)
    return _score(columns, parts, (parsed.ticks_per_quarter, changes), label, name)


def _with_mido(data: bytes, label: str, name: str) -> Score:
    """The reference reader: slower, and it explains itself."""
    file = _parse_with_mido(data, label)
    columns: list[tuple[np.ndarray, ...]] = []
    parts: list[Part] = []
    for track in file.tracks:
        names = [message.name for message in track if message.type == "track_name"]
        track_name = names[-1].encode("latin1").decode("utf-8", errors="replace") if names else ""
        for (channel, program), notes in sorted(_notes_of(track).items()):
            table = np.array(notes, dtype=np.int64)
            columns.append((*table.T, np.full(len(table), len(parts))))
            parts.append(Part(track_name, program, channel == _DRUM_CHANNEL))
    return _score(columns, tuple(parts), (file.ticks_per_beat, _tempo_changes(file)), label, name)


def _parse_with_mido(data: bytes, label: str) -> mido.MidiFile:
    try:
        return mido.MidiFile(file=io.BytesIO(data), clip=True)
    except EOFError as error:
        raise MidiError(
            f"{label}: cut short; it ends inside a track, or before the last one ({len(data)} bytes). "
            f"Copy or download it again."
        ) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:
        raise MidiError(f"{label}: damaged or not standard MIDI ({type(error).__name__}: {error}).") from error


def _notes_of(track: mido.MidiTrack) -> dict[tuple[int, int], list[tuple[int, int, int, int]]]:
    """(onset_tick, end_tick, pitch, velocity) by (channel, program at the onset)."""
    notes: dict[tuple[int, int], list[tuple[int, int, int, int]]] = defaultdict(list)
    sounding: dict[tuple[int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    programs: dict[int, int] = defaultdict(int)
    tick = 0
    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity > 0:
            sounding[message.channel, message.note].append((tick, message.velocity, programs[message.channel]))
        elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
            onset, velocity, program = sounding[message.channel, message.note].popleft()
            notes[message.channel, program].append((onset, tick, message.note, velocity))
    return notes


def _tempo_changes(file: mido.MidiFile) -> list[tuple[int, int]]:
    changes = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes.append((tick, message.tempo))
    return changes


def _score(
    columns: list[tuple[np.ndarray, ...]],
    parts: tuple[Part, ...],
    tempo: tuple[int, list[tuple[int, int]]],
    label: str,
    name: str,
) -> Score:
    try:
        notes = NoteTable(*map(np.concatenate, zip(*columns, strict=True))) if columns else NoteTable.empty()
        return Score(notes, TempoMap(*tempo), parts, name)
    except MidiError as error:
        raise MidiError(f"{label}: {error}") from error


def _note_messages(notes: NoteTable, channel: int) -> list[tuple[int, mido.Message]]:
    """Note-ons and note-offs, ordered so that reading pairs them as they were."""
    # At one tick: ends of earlier notes, then onsets, then the ends of notes of no length.
    ends_of_nothing = 2
    messages = []
    for onset, end, pitch, velocity in zip(notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity, strict=True):
        strike = mido.Message("note_on", note=int(pitch), velocity=int(velocity), channel=channel)
        release = mido.Message("note_off", note=int(pitch), velocity=0, channel=channel)
        messages.append((int(onset), 1, strike))
        messages.append((int(end), ends_of_nothing if end == onset else 0, release))
    messages.sort(key=lambda message: message[:2])
    return [(tick, message) for tick, _, message in messages]


def _track(messages: list[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """Absolute ticks to the delta times of a track; empty texts fill what one delta cannot hold."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in messages:
        while tick - now > _LONGEST_DELTA:
            track.append(mido.MetaMessage("text", time=_LONGEST_DELTA))
            now += _LONGEST_DELTA
        track.append(message.copy(time=tick - now))
        now = tick
    return track
