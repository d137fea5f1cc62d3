"""Scores to MIDI files."""

import io
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import mido
import numpy as np
import symusic

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.names import as_text
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io.message_list import END_OF_MUSIC
from pianoroll_seq2seq.score import DRUM_CHANNEL, NoteTable, Part, Score

_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
_LONGEST_DELTA = 2**28 - 1  # the ticks between two events that four bytes of seven bits can hold


def write_midi(
    score: Score,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    writer: Literal["mido", "symusic"] = "mido",
) -> Path:
    """Writes a score as a MIDI file (type 1): tempi in the first track, then a track for each part.

    ``read_midi(write_midi(score, path)) == score`` for every score whose parts all have notes, and in which overlapping
    notes of one part and pitch end in the order in which they begin: a MIDI file cannot express another order. If
    silence follows the last note (``score.end_tick``), a text event marks its end, which other programs ignore.

    Args:
        score: the score to write.
        path: the file to write; missing folders are made.
        overwrite: whether an existing file may be replaced.
        writer: mido, or symusic, which is many times as fast; mido also writes the scores that symusic would change
            (with notes of no length, with parts of different programs on one channel, or so long that ticks need more
            than 28 bits).

    Returns:
        The path.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        SettingsError: unknown value of ``writer``.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import NoteTable, Part, Score, TempoMap, read_midi
        >>> notes = NoteTable(onset_tick=[0], end_tick=[480], pitch=[60], velocity=[90], part=[0])
        >>> score = Score(notes, TempoMap(480), (Part("tune"),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_midi(write_midi(score, f"{folder}/tune.mid")).notes == notes
        True
    """
    path = Path(path)
    with writing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(to_midi_bytes(score, writer=writer))
    return path


def to_midi_bytes(score: Score, *, writer: Literal["mido", "symusic"] = "mido") -> bytes:
    """The bytes of the file that :func:`write_midi` writes."""
    if writer not in ("mido", "symusic"):
        raise SettingsError(f"writer must be 'mido' or 'symusic', got {writer!r}.")
    return _with_symusic(score) if writer == "symusic" and _symusic_can_write(score) else _with_mido(score)


def _symusic_can_write(score: Score) -> bool:
    """Whether symusic writes a score as it is."""
    notes, melodic = score.notes, sum(not part.drums for part in score.parts)
    own_channels = melodic <= len(_MELODIC_CHANNELS) and not _changing_channels(score.parts)
    return own_channels and bool((notes.onset_tick < notes.end_tick).all()) and _last_tick(score) <= _LONGEST_DELTA


def _last_tick(score: Score) -> int:
    return max(score.num_ticks, score.tempo.changes[-1][0])


def _with_symusic(score: Score) -> bytes:
    written: Any = symusic.Score(score.ticks_per_beat)
    for tick, us_per_beat in score.tempo.changes:
        written.tempos.append(symusic.Tempo(tick, mspq=us_per_beat))
    if score.end_tick is not None:
        written.markers.append(symusic.TextMeta(score.end_tick, END_OF_MUSIC))
    for index, part in enumerate(score.parts):
        track: Any = symusic.Track(name=as_text(part.name), program=part.program, is_drum=part.drums)
        notes = score.notes.where(score.notes.part == index)
        track.notes = symusic.Note.from_numpy(
            notes.onset_tick.astype(np.int32),
            (notes.end_tick - notes.onset_tick).astype(np.int32),
            notes.pitch.astype(np.int8),
            notes.velocity.astype(np.int8),
        )
        written.tracks.append(track)
    data: bytes = written.dumps_midi()
    return data


def _with_mido(score: Score) -> bytes:
    buffer = io.BytesIO()
    to_mido(score).save(file=buffer)
    return buffer.getvalue()


def to_mido(score: Score, controllers: Sequence[Sequence[tuple[int, int, int]]] = ()) -> mido.MidiFile:
    """A score as a file of mido's.

    Args:
        score: the score.
        controllers: for each part its control changes, as (tick, controller, value) in the order of ticks; they come
            before the notes of their tick.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_beat, charset="utf-8")
    tempi = [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in score.tempo.changes]
    if score.end_tick is not None:
        tempi.append((score.end_tick, mido.MetaMessage("text", text=END_OF_MUSIC)))
        tempi.sort(key=lambda event: event[0])
    file.tracks.append(to_track(tempi))
    channels = channels_of(score.parts)
    changing = _changing_channels(score.parts)
    for index, (part, channel) in enumerate(zip(score.parts, channels, strict=True)):
        messages = [
            (0, mido.MetaMessage("track_name", name=as_text(part.name))),
            (0, mido.Message("program_change", program=part.program, channel=channel)),
        ]
        played = [
            (tick, mido.Message("control_change", channel=channel, control=control, value=value))
            for tick, control, value in (controllers[index] if controllers else ())
        ]
        notes = score.notes.where(score.notes.part == index)
        played += _note_messages(notes, channel, part.program if channel in changing else None)
        if controllers:
            played.sort(key=lambda event: event[0])
        file.tracks.append(to_track([*messages, *played]))
    return file


def channels_of(parts: Sequence[Part]) -> list[int]:
    """The channel of each part: 9 for drums, else one of the fifteen others in turn."""
    melodic = itertools.cycle(_MELODIC_CHANNELS)
    return [DRUM_CHANNEL if part.drums else next(melodic) for part in parts]


def _changing_channels(parts: Sequence[Part]) -> set[int]:
    """The channels of parts with different programs."""
    programs: dict[int, set[int]] = {}
    for part, channel in zip(parts, channels_of(parts), strict=True):
        programs.setdefault(channel, set()).add(part.program)
    return {channel for channel, used in programs.items() if len(used) > 1}


def _note_messages(notes: NoteTable, channel: int, program: int | None) -> list[tuple[int, mido.Message]]:
    """Note-ons and note-offs, in an order in which reading pairs them again.

    Args:
        notes: the notes of a part.
        channel: its channel.
        program: its program, if other parts change that of the channel; it then comes before the onsets of each tick.
    """
    # At one tick: ends of earlier notes, then onsets, then the ends of notes of no length.
    ends_of_nothing = 2
    messages: list[tuple[int, float, mido.Message]] = []
    if program is not None:
        change = mido.Message("program_change", program=program, channel=channel)
        messages = [(tick, 0.5, change) for tick in np.unique(notes.onset_tick).tolist()]
    for onset, end, pitch, velocity in zip(notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity, strict=True):
        note_on = mido.Message("note_on", note=int(pitch), velocity=int(velocity), channel=channel)
        note_off = mido.Message("note_off", note=int(pitch), velocity=0, channel=channel)
        messages.append((int(onset), 1, note_on))
        messages.append((int(end), ends_of_nothing if end == onset else 0, note_off))
    messages.sort(key=lambda message: message[:2])
    return [(tick, message) for tick, _, message in messages]


def to_track(messages: Iterable[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """A track with delta times instead of absolute ticks; empty text events split longer delta times."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in messages:
        while tick - now > _LONGEST_DELTA:
            track.append(mido.MetaMessage("text", time=_LONGEST_DELTA))
            now += _LONGEST_DELTA
        track.append(message.copy(time=tick - now))
        now = tick
    return track
