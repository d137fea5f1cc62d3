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
from pianoroll_seq2seq.errors import LimitError, SettingsError
from pianoroll_seq2seq.midi_io.controller_messages import controller_messages
from pianoroll_seq2seq.midi_io.message_list import END_OF_MUSIC
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import DRUM_CHANNEL, Part
from pianoroll_seq2seq.score import Score

_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
_MAX_TRACKS = 2**16 - 1  # the header has two bytes for their number
_MIDO_TRACKS = 2**15 - 1  # mido takes the number for a signed one
_HEADER_BYTES, _TRACKS_AT = 14, 10  # where the number is
_LONGEST_DELTA = 2**28 - 1  # the ticks between two events that four bytes of seven bits can hold


def write_midi(
    score: Score,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    writer: Literal["mido", "symusic"] = "mido",
) -> Path:
    """Writes a score as a MIDI file (type 1): tempi and signatures in the first track, then a track for each part.

    ``read_midi(write_midi(score, path)) == score`` for every score whose parts all have notes, and in which overlapping
    notes of one part and pitch end in the order in which they begin: a MIDI file cannot express another order. If
    silence follows the last note (``score.end_tick``), a text event marks its end, which other programs ignore.

    Controllers come before the notes of their tick. Parts that share a channel share its controllers: all drums, and
    some of more than fifteen other parts. What would change the notes is left out: a message that ends all notes
    (controllers 120 and 123 to 127) while a note sounds, and a bank that makes drums of a part, or of drums none.

    Args:
        score: the score to write.
        path: the file to write; missing folders are made.
        overwrite: whether an existing file may be replaced.
        writer: mido, or symusic, which is many times as fast; mido also writes the scores that symusic would change
            (with controllers, with notes of no length, with parts of different programs on one channel, or so long that
            ticks need more than 28 bits).

    Returns:
        The path.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        LimitError: more parts than a MIDI file has tracks, 65,535.
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
    return _with_symusic(score) if writer == "symusic" and _symusic_can_write(score) else mido_bytes(to_mido(score))


def _symusic_can_write(score: Score) -> bool:
    """Whether symusic writes a score as it is."""
    notes, melodic = score.notes, sum(not part.drums for part in score.parts)
    own_channels = melodic <= len(_MELODIC_CHANNELS) and not _changing_channels(score.parts)
    own_channels = own_channels and len(score.parts) < _MAX_TRACKS
    if len(score.controllers) or not own_channels or _last_tick(score) > _LONGEST_DELTA:
        return False
    return bool((notes.onset_tick < notes.end_tick).all())


def _last_tick(score: Score) -> int:
    times, keys = score.meter.time_signatures[-1:], score.meter.key_signatures[-1:]
    signatures = [*(time.tick for time in times), *(key.tick for key in keys)]
    return max(score.num_ticks, score.tempo.changes[-1][0], *signatures)


def _with_symusic(score: Score) -> bytes:
    written: Any = symusic.Score(score.ticks_per_beat)
    for tick, us_per_beat in score.tempo.changes:
        written.tempos.append(symusic.Tempo(tick, mspq=us_per_beat))
    for time in score.meter.time_signatures:
        written.time_signatures.append(symusic.TimeSignature(time.tick, time.numerator, time.denominator))
    for key in score.meter.key_signatures:
        written.key_signatures.append(symusic.KeySignature(key.tick, key.fifths, int(key.minor)))
    if score.end_tick is not None:
        written.markers.append(symusic.TextMeta(score.end_tick, END_OF_MUSIC))
    for part, notes in zip(score.parts, score.notes.by_part(len(score.parts)), strict=True):
        track: Any = symusic.Track(name=as_text(part.name), program=part.program, is_drum=part.drums)
        track.notes = symusic.Note.from_numpy(
            notes.onset_tick.astype(np.int32),
            (notes.end_tick - notes.onset_tick).astype(np.int32),
            notes.pitch.astype(np.int8),
            notes.velocity.astype(np.int8),
        )
        written.tracks.append(track)
    data: bytes = written.dumps_midi()
    return data


def mido_bytes(file: mido.MidiFile) -> bytes:
    """The bytes of a file of mido's, which by itself saves at most 32,767 tracks."""
    tracks, num_tracks = file.tracks, len(file.tracks)
    contents = []
    for begin in range(0, num_tracks, _MIDO_TRACKS):
        file.tracks = tracks[begin : begin + _MIDO_TRACKS]
        buffer = io.BytesIO()
        file.save(file=buffer)
        contents.append(buffer.getvalue())
    file.tracks = tracks
    beginning = contents[0][:_TRACKS_AT] + num_tracks.to_bytes(2, "big")
    return beginning + contents[0][_TRACKS_AT + 2 :] + b"".join(content[_HEADER_BYTES:] for content in contents[1:])


def to_mido(score: Score) -> mido.MidiFile:
    """A score as a file of mido's.

    Raises:
        LimitError: more parts than a MIDI file has tracks.
    """
    if len(score.parts) > _MAX_TRACKS:
        raise LimitError(
            f"A MIDI file has at most {_MAX_TRACKS} tracks, one for each part, but the score has {len(score.parts)} "
            f"parts. Write some of them at a time, such as score.select(channel=0)."
        )
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_beat, charset="utf-8")
    file.tracks.append(to_track(_conductor_messages(score)))
    channels = channels_of(score.parts)
    changing = _changing_channels(score.parts)
    acting = controller_messages(score, channels)
    tables = score.notes.by_part(len(score.parts))
    for part, channel, notes, controllers in zip(score.parts, channels, tables, acting, strict=True):
        messages = [
            (0, mido.MetaMessage("track_name", name=as_text(part.name))),
            (0, mido.Message("program_change", program=part.program, channel=channel)),
        ]
        played = [*controllers, *_note_messages(notes, channel, part.program if channel in changing else None)]
        if controllers:
            played.sort(key=lambda event: event[0])
        file.tracks.append(to_track([*messages, *played]))
    if len(file.tracks) > _MAX_TRACKS:  # there is none left for the tempi alone
        file.tracks[:2] = [mido.merge_tracks(file.tracks[:2])]
    return file


def _conductor_messages(score: Score) -> list[tuple[int, mido.MetaMessage]]:
    """Tempi, signatures and the end of the music."""
    messages = [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in score.tempo.changes]
    messages += [
        (time.tick, mido.MetaMessage("time_signature", numerator=time.numerator, denominator=time.denominator))
        for time in score.meter.time_signatures
    ]
    messages += [
        (key.tick, mido.MetaMessage("key_signature", key=key.tonic + "m" * key.minor))
        for key in score.meter.key_signatures
    ]
    if score.end_tick is not None:
        messages.append((score.end_tick, mido.MetaMessage("text", text=END_OF_MUSIC)))
    return sorted(messages, key=lambda message: message[0])


def channels_of(parts: Sequence[Part]) -> list[int]:
    """The channel of each part: 9 for drums, else one of the fifteen others in turn.

    If there are more parts than channels, those that were read from one channel share one, as before.
    """
    melodic = itertools.cycle(_MELODIC_CHANNELS)
    numbers = [part.channel for part in parts if not part.drums]
    if len(numbers) <= len(_MELODIC_CHANNELS) or None in numbers:
        return [DRUM_CHANNEL if part.drums else next(melodic) for part in parts]
    given = dict(zip(dict.fromkeys(numbers), melodic, strict=False))
    return [DRUM_CHANNEL if part.drums else given[part.channel] for part in parts]


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
