"""Scores from and to music21 streams (extra ``datasets``)."""

import math
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq._internal.names import as_text
from pianoroll_seq2seq.errors import MidiError, MissingExtraError, NoNotesError
from pianoroll_seq2seq.musicxml.assembly import (
    DEFAULT_VELOCITY,
    Signatures,
    TimedNote,
    score_in_ticks,
    without_ties,
)
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import is_key_signature, is_time_signature

if TYPE_CHECKING:
    import music21.stream

_END_OF_MUSIC = "end_of_music"  # the group of the rest that is the silence at the end of a score


def score_from_music21(stream: "music21.stream.Stream[Any]", *, expand_repeats: bool = False) -> Score:
    """Reads a music21 stream: a ``Score``, a ``Part``, a ``Measure`` or any other. The stream is not changed.

    Each ``Part`` of the stream becomes a :class:`~pianoroll_seq2seq.score.Part`, with its ``partName`` (else its
    instrument's name, or its id) and the MIDI program of its first instrument (else 0); a stream without parts
    becomes one. Pitches are sounding pitches: transposing instruments and octave lines are applied. Tied notes are one
    note, grace notes have no length, and ornaments are not played. Chord symbols are dropped unless they have
    ``writeAsChord``. A note without a velocity gets 90. Tempo marks without a number are ignored.

    A part is the drum kit if its first instrument is an ``UnpitchedPercussion``, or on channel 10. Unpitched notes are
    kept in such parts if their instrument names the drum (``percMapPitch``); all others are dropped, with a warning.

    The ticks per beat are chosen so that every note is exactly on a tick, triplets included. If more than 32,767 are
    needed, they are 10,080, and times go to the nearest tick, halves up, with a warning.

    The music ends with its last note: rests after it fill a bar in most scores. The silence that
    :func:`score_to_music21` wrote is kept.

    Args:
        stream: the stream to read.
        expand_repeats: whether to write out repeats, as ``stream.expandRepeats()`` does.

    Raises:
        MissingExtraError: music21 is not installed.
        NoNotesError: the stream has no notes.
        MidiError: several pieces in one (an ``Opus``), inconsistent repeats, or values that MIDI cannot store.

    Warns:
        UserWarning: notes that are dropped or moved, and how many.

    Example:
        >>> import music21
        >>> score = score_from_music21(music21.converter.parse("tinynotation: 4/4 c4 d4 e2"))
        >>> score.notes.pitch.tolist()
        [60, 62, 64]
    """
    m21 = _import_music21("Reading music21 streams")
    name = str((stream.metadata and stream.metadata.bestTitle) or "")
    label = name or f"The music21 {type(stream).__name__}"
    if isinstance(stream, m21.stream.Opus):
        raise MidiError(f"{label}: an Opus holds several pieces. Pass one of its .scores at a time.")
    try:
        if expand_repeats:
            stream = stream.expandRepeats()
        stream = stream.toSoundingPitch()  # a copy
    except m21.exceptions21.Music21Exception as error:
        raise MidiError(f"{label}: music21 cannot expand its repeats or transpose it ({error}).") from error
    voices = list(stream.getElementsByClass(m21.stream.Part)) or [stream]
    parts, notes = [], []
    unknown, end = 0, Fraction(0)
    for voice in voices:
        flat = voice.flatten()
        start = Fraction(0) if voice is stream else Fraction(voice.offset)
        part = _part_of(voice, flat, m21)
        parts.append(part)
        found = _notes_in(flat, start, part.drums, m21)
        notes.append(without_ties([note for note in found if note.pitch is not None]))
        unknown += sum(note.pitch is None for note in found)
        end = max([end, *(start + Fraction(rest.offset) + Fraction(rest.quarterLength) for rest in _last_rests(flat))])
    if unknown:
        warnings.warn(f"{label}: {unknown} unpitched notes whose drum is unknown; left out.", stacklevel=2)
    if not any(notes):
        raise NoNotesError(f"{label}: no notes.")
    signatures = _signatures_in(voices[0] if voices[0] is not stream else stream, m21)
    tempi = []
    for mark in stream.flatten().getElementsByClass(m21.tempo.TempoIndication):
        metronome = mark.getSoundingMetronomeMark()
        beats_per_minute = metronome.getQuarterBPM() if metronome else None
        if beats_per_minute:
            tempi.append((Fraction(mark.offset), round(60_000_000 / beats_per_minute)))
    try:
        score, moved = score_in_ticks(notes, tempi, signatures, parts=tuple(parts), name=name, end=end)
    except MidiError as error:
        raise MidiError(f"{label}: {error}") from error
    if moved:
        warnings.warn(
            f"{label}: {moved} notes are at times that no MIDI file has exactly; moved to the nearest of "
            f"{score.ticks_per_beat} ticks per beat.",
            stacklevel=2,
        )
    return score


def _signatures_in(part: Any, m21: Any) -> Signatures:
    """The signatures of a part. After a bar of another length than it says, a time signature comes again."""
    found = Signatures([], [])
    for time in part.flatten().getElementsByClass(m21.meter.TimeSignature):
        if is_time_signature(time.numerator, time.denominator):
            found.times.append((Fraction(time.offset), (time.numerator, time.denominator)))
    for key in part.flatten().getElementsByClass(m21.key.KeySignature):
        if isinstance(key.sharps, int) and is_key_signature(key.sharps, 0):
            found.keys.append((Fraction(key.offset), (key.sharps, getattr(key, "mode", None) == "minor")))
    found.repeat_after_irregular_bars(
        [Fraction(measure.offset) for measure in part.getElementsByClass(m21.stream.Measure)]
    )
    return found


def score_to_music21(score: Score) -> "music21.stream.Score":
    """A music21 ``Score``: a flat ``Part`` for each part, its offsets and lengths exact, tempi in the first.

    The parts have no measures, clefs or voices: music21's ``makeNotation`` adds them, and so do its writers. Drums are
    notes of their MIDI numbers under an ``UnpitchedPercussion``, notes without length are grace notes. Silence after
    the last note is a rest in the first part.

    Raises:
        MissingExtraError: music21 is not installed.

    Example:
        >>> from pianoroll_seq2seq import NoteTable, TempoMap
        >>> notes = NoteTable(onset_tick=[0], end_tick=[480], pitch=[60], velocity=[90], part=[0])
        >>> stream = score_to_music21(Score(notes, TempoMap(480), (Part("tune"),)))
        >>> [note.nameWithOctave for note in stream.recurse().notes]
        ['C4']
    """
    m21 = _import_music21("Making music21 streams")
    whole: music21.stream.Score = m21.stream.Score()
    if score.name:
        whole.insert(0, m21.metadata.Metadata(title=score.name))
    ticks_per_beat = score.ticks_per_beat
    for part, mine in zip(score.parts, score.notes.by_part(len(score.parts)), strict=True):
        voice = _new_part(part, m21)
        columns = (mine.onset_tick, mine.end_tick, mine.pitch, mine.velocity)
        for onset, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
            note = _new_note(pitch, Fraction(end - onset, ticks_per_beat), velocity, m21)
            voice.insert(Fraction(onset, ticks_per_beat), note)
        _insert_signatures(voice, score, m21)
        whole.insert(0, voice)
    first = whole.parts.first() or whole
    if score.end_tick is not None:
        last = int(score.notes.end_tick.max(initial=0))
        rest = m21.note.Rest(quarterLength=Fraction(score.end_tick - last, ticks_per_beat))
        rest.groups.append(_END_OF_MUSIC)
        first.insert(Fraction(last, ticks_per_beat), rest)
    _insert_tempi(first, score, m21)
    return whole


def _new_part(part: Part, m21: Any) -> Any:
    """An empty music21 ``Part`` with its name and instrument."""
    voice = m21.stream.Part()
    voice.partName = as_text(part.name)  # None would be the name of its instrument
    voice.atSoundingPitch = True
    instrument = m21.instrument.UnpitchedPercussion() if part.drums else m21.instrument.Instrument()
    instrument.partName, instrument.midiProgram = as_text(part.name) or None, part.program
    instrument.instrumentName = instrument.instrumentName or as_text(part.name) or "Instrument"
    voice.insert(0, instrument)
    return voice


def _new_note(pitch: int, length: Fraction, velocity: int, m21: Any) -> Any:
    """A music21 ``Note``; a grace note if it has no length."""
    spelt = m21.pitch.Pitch(midi=pitch)
    note = m21.note.Note(spelt, quarterLength=length) if length else m21.note.Note(spelt).getGrace()
    note.volume.velocity = velocity
    note.volume.velocityIsRelative = False
    return note


def _insert_tempi(voice: Any, score: Score, m21: Any) -> None:
    """Inserts the tempo changes into a music21 ``Part``."""
    for tick, us_per_beat in score.tempo.changes:
        mark = m21.tempo.MetronomeMark(number=60_000_000 / us_per_beat)
        voice.insert(Fraction(tick, score.ticks_per_beat), mark)


def _insert_signatures(voice: Any, score: Score, m21: Any) -> None:
    """Inserts the time and key signatures; each part of a music21 score has its own."""
    for time in score.meter.time_signatures:
        voice.insert(Fraction(time.tick, score.ticks_per_beat), m21.meter.TimeSignature(str(time)))
    for key in score.meter.key_signatures:
        spelt = m21.key.KeySignature(key.fifths).asKey("minor" if key.minor else "major")
        voice.insert(Fraction(key.tick, score.ticks_per_beat), spelt)


def _import_music21(purpose: str) -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed; the message names the purpose.
    """
    try:
        import music21
    except ImportError as error:
        raise MissingExtraError("music21", "datasets", purpose) from error
    return music21


def _part_of(voice: Any, flat: Any, m21: Any) -> Part:
    instrument = flat.getElementsByClass(m21.instrument.Instrument).first()
    name = getattr(voice, "partName", None) or (voice.id if isinstance(voice.id, str) else "")
    drums = isinstance(instrument, m21.instrument.UnpitchedPercussion) or (instrument and instrument.midiChannel == 9)
    return Part(name, (instrument and instrument.midiProgram) or 0, bool(drums))


def _notes_in(flat: Any, start: Fraction, drums: bool, m21: Any) -> list[TimedNote]:
    """The notes of a flattened stream, before ties are joined; the notes of chords are separate.

    The pitch of an unpitched note is None if its drum is unknown.
    """
    notes = []
    for element in flat.notes:
        if isinstance(element, m21.harmony.Harmony) and not element.writeAsChord:
            continue
        onset = start + Fraction(element.offset)
        end = onset + Fraction(element.quarterLength)
        for note in element.notes if isinstance(element, m21.chord.ChordBase) else [element]:
            pitch = _pitch_of(note, element, drums, m21)
            velocity = note.volume.velocity
            velocity = element.volume.velocity if velocity is None else velocity
            velocity = DEFAULT_VELOCITY if velocity is None else velocity
            notes.append(TimedNote(onset, end, pitch, velocity, note.tie.type if note.tie else None))
    return notes


def _last_rests(flat: Any) -> list[Any]:
    """The silence at the end that :func:`score_to_music21` wrote."""
    return [rest for rest in flat.notesAndRests if rest.isRest and _END_OF_MUSIC in rest.groups]


def _pitch_of(note: Any, element: Any, drums: bool, m21: Any) -> int | None:
    """The nearest MIDI number; for an unpitched note that of its drum, or None if it is unknown."""
    if isinstance(note, m21.note.Note):
        number = math.floor(note.pitch.ps + 0.5)
    else:
        drum = note.storedInstrument or element.getContextByClass(m21.instrument.UnpitchedPercussion)
        number = getattr(drum, "percMapPitch", None) if drums else None
    return None if number is None else int(number)
