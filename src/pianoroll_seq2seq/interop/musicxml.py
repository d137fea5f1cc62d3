"""Scores from and to MusicXML files, by way of music21 (extra ``datasets``)."""

import io
import lzma
import os
import struct
import warnings
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.file_kinds import kind_of
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import LimitError, MusicXMLError, SettingsError
from pianoroll_seq2seq.interop.music21 import import_music21, new_note, new_part, score_from_music21
from pianoroll_seq2seq.midi_io.source import bytes_of
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.signatures import TimeSignature

_GRID_FIX = "Put it on a grid first: PianoRoll.from_score(score, grid=BeatGrid(12)).to_musicxml(path)."
_UNPACKING_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, ValueError, RuntimeError, KeyError, IndexError),  # odd headers; encryption; unknown packing
)


def read_musicxml(
    path: str | os.PathLike[str],
    *,
    expand_repeats: bool = False,
    unpitched: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> Score:
    """Reads a MusicXML file: a score with its parts, tempi, time and key signatures.

    The notes are read as :func:`~pianoroll_seq2seq.interop.score_from_music21` does: at sounding pitch, tied notes as
    one. A bar that is shorter or longer than its time signature says, such as an upbeat, has the signature again after
    it, so that bar lines are where they are in the score.

    Args:
        path: the file: ``.musicxml``, ``.xml``, or compressed as ``.mxl``.
        expand_repeats: whether repeats are written out.
        unpitched: what to do with notes of percussion clefs whose drum the file does not name: raise an error, or drop
            them with a warning.
        limits: how large the file may be, packed and unpacked.

    Raises:
        MidiNotFoundError: no such file.
        MusicXMLError: not MusicXML, a file that is cut, or unpitched notes and ``unpitched="error"``.
        LimitError: a file larger than the limits.
        NoNotesError: no notes.
        MissingExtraError: music21 is not installed.
    """
    if unpitched not in ("error", "drop"):
        raise SettingsError(f"unpitched must be 'error' or 'drop', got {unpitched!r}.")
    m21, label = import_music21("Reading MusicXML"), os.fspath(path)
    text = _text_of(path, label, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", m21.musicxml.xmlToM21.MusicXMLWarning)  # of layout and the like
            stream = m21.converter.parseData(text, format="musicxml")
    except Exception as error:  # music21 raises whatever its own code meets in wrong input
        raise MusicXMLError(
            f"{label}: music21 cannot read it ({type(error).__name__}: {error}). Save it again in the program that "
            f"wrote it."
        ) from error
    if unpitched == "error":
        _refuse_unpitched(stream, label, m21)
    return score_from_music21(stream, expand_repeats=expand_repeats)


def write_musicxml(score: Score, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes a score as a MusicXML file, with bars, ties over bar lines, and voices where notes of a part overlap.

    ``read_musicxml`` reads the same notes, velocities, parts, tempi and signatures. Bars are of 4/4 if there is no time
    signature.

    Args:
        score: the score. Its times must be such that notation has values for them: music on a grid, such as
            ``roll.to_score()``.
        path: the file to write; missing folders are made.
        overwrite: whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        MusicXMLError: times for which notation has no values.
        MissingExtraError: music21 is not installed.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import NoteTable, Score, TempoMap
        >>> notes = NoteTable(onset_tick=[0], end_tick=[480], pitch=[60], velocity=[90], part=[0])
        >>> score = Score(notes, TempoMap(480))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_musicxml(write_musicxml(score, f"{folder}/song.musicxml")) == score
        True
    """
    path = Path(path)
    label = score.name or "The score"
    m21 = import_music21("Writing MusicXML")
    try:
        data = m21.musicxml.m21ToXml.GeneralObjectExporter(notated(score)).parse()
    except Exception as error:  # as above: of durations that notation has no values for, and others
        raise MusicXMLError(
            f"{label}: music21 cannot write it ({type(error).__name__}: {error}). {_GRID_FIX}"
        ) from error
    with writing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
    return path


def _text_of(path: str | os.PathLike[str], label: str, limits: Limits) -> str:
    """The XML of a file, unpacked."""
    data, _ = bytes_of(path, limits)
    if data[:4] == b"PK\x03\x04":
        data = _unpacked(data, label, limits)
    if b"<!ENTITY" in data:
        raise MusicXMLError(f"{label}: it defines XML entities, which MusicXML has no use for. Use another copy.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without entities there is nothing to expand
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        kind = kind_of(data)
        found = f"is {kind}" if kind and not kind.startswith("XML") else "is not MusicXML, or is cut"
        raise MusicXMLError(f"{label}: it {found} ({error}). Export MusicXML again, or copy the file again.") from error
    if root.tag not in ("score-partwise", "score-timewise"):
        raise MusicXMLError(f"{label}: XML, but not MusicXML: its root is <{root.tag:.40}>. Export MusicXML.")
    return ElementTree.tostring(root, encoding="unicode")


def _unpacked(data: bytes, label: str, limits: Limits) -> bytes:
    """The score in a compressed file: the root that its container names, or the only MusicXML in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > limits.max_file_bytes:
                raise LimitError(  # noqa: TRY301
                    f"{label}: {len(data)} bytes that unpack to {size}; Limits allow "
                    f"max_file_bytes={limits.max_file_bytes}. If the file is correct, pass limits=Limits(...)."
                )
            names = archive.namelist()
            root = None
            if "META-INF/container.xml" in names:
                container = archive.read("META-INF/container.xml")
                if b"<!ENTITY" not in container:
                    files = ElementTree.fromstring(container).iter("{*}rootfile")  # noqa: S314 - as above
                    root = next((one.get("full-path") for one in files if one.get("full-path") in names), None)
            scores = [name for name in names if name.endswith((".musicxml", ".xml")) and "META-INF" not in name]
            return archive.read(root or scores[0])
    except LimitError:
        raise
    except (*_UNPACKING_ERRORS, ElementTree.ParseError) as error:
        raise MusicXMLError(
            f"{label}: a compressed MusicXML file that is damaged, or another ZIP archive ({error}). Copy it again."
        ) from error


def _refuse_unpitched(stream: Any, label: str, m21: Any) -> None:
    """Refuses notes of percussion whose drum is unknown."""
    for index, part in enumerate(stream.parts):
        for note in part.recurse().getElementsByClass(m21.note.Unpitched):
            drum = note.storedInstrument or note.getContextByClass(m21.instrument.UnpitchedPercussion)
            if getattr(drum, "percMapPitch", None) is None:
                raise MusicXMLError(
                    f"{label}: part {part.partName or index + 1!r} has unpitched notes (a percussion clef), and the "
                    f"file does not say which drums they are. Give its notes MIDI numbers in the program that wrote "
                    f"it, or pass unpitched='drop' to leave them out."
                )


def notated(score: Score) -> Any:
    """A music21 ``Score`` in bars: notes are split at bar lines and tied, and notes that overlap are in voices."""
    m21 = import_music21("Notation")
    whole = m21.stream.Score()
    if score.name:
        whole.insert(0, m21.metadata.Metadata(title=score.name))
    lines = _bar_lines(score)
    for part, notes in zip(score.parts, score.notes.by_part(len(score.parts)), strict=True):
        voice = new_part(part, m21)
        measures = [_measure(score, index, lines, m21) for index in range(len(lines) - 1)]
        for measure in measures:
            voice.insert(measure.offset, measure)
        _fill(measures, notes, lines, score.ticks_per_beat, m21)
        if not len(whole.parts):
            _insert_tempi(measures, lines, score, m21)
        voice.makeNotation(inPlace=True)
        whole.insert(0, voice)
    return whole


def _insert_tempi(measures: list[Any], lines: np.ndarray, score: Score, m21: Any) -> None:
    """Puts the tempo changes into the bars of the first part."""
    for tick, us_per_beat in score.tempo.changes:
        bar = min(int(np.searchsorted(lines, tick, side="right")) - 1, len(measures) - 1)
        mark = m21.tempo.MetronomeMark(number=60_000_000 / us_per_beat)
        measures[bar].insert(Fraction(tick - int(lines[bar]), score.ticks_per_beat), mark)


def _bar_lines(score: Score) -> np.ndarray:
    """The ticks of all bar lines, from tick 0 to the end of the last bar."""
    bars = score.bar_ticks() if score.num_ticks else np.zeros(1, dtype=np.int64)
    if not len(bars) or bars[0] > 0:
        bars = np.concatenate([[0], bars])
    signature = _signature_at(score, int(bars[-1]))
    length = 4 * score.ticks_per_beat * signature.numerator // signature.denominator
    return np.append(bars, max(int(bars[-1]) + length, score.num_ticks))


def _signature_at(score: Score, tick: int) -> TimeSignature:
    running = [one for one in score.meter.time_signatures if one.tick <= tick]
    return running[-1] if running else TimeSignature(0)


def _measure(score: Score, index: int, lines: np.ndarray, m21: Any) -> Any:
    """An empty bar with the signatures that begin in it."""
    start, end, per_beat = int(lines[index]), int(lines[index + 1]), score.ticks_per_beat
    measure = m21.stream.Measure(number=index + 1)
    measure.offset = Fraction(start, per_beat)
    signature = _signature_at(score, start)
    if signature.tick == start:
        measure.timeSignature = m21.meter.TimeSignature(str(signature))
    for key in score.meter.key_signatures:
        if start <= key.tick < end:
            spelt = m21.key.KeySignature(key.fifths).asKey("minor" if key.minor else "major")
            measure.insert(Fraction(key.tick - start, per_beat), spelt)
    missing = Fraction(4 * signature.numerator, signature.denominator) - Fraction(end - start, per_beat)
    if missing > 0:
        if index == 0:
            measure.paddingLeft = missing  # an upbeat
        else:
            measure.paddingRight = missing
    return measure


def _fill(measures: list[Any], notes: NoteTable, lines: np.ndarray, ticks_per_beat: int, m21: Any) -> None:
    """Puts the notes of a part into its bars, split at the bar lines."""
    first = np.searchsorted(lines, notes.onset_tick, side="right") - 1
    last = np.maximum(np.searchsorted(lines, notes.end_tick, side="left") - 1, first)
    columns = (notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity, first, last)
    for onset, end, pitch, velocity, begin, finish in zip(*(column.tolist() for column in columns), strict=True):
        for bar in range(begin, finish + 1):
            start, stop = max(onset, int(lines[bar])), min(end, int(lines[bar + 1]))
            note = new_note(pitch, Fraction(stop - start, ticks_per_beat), velocity, m21)
            if begin < finish:
                kind = "start" if bar == begin else "stop" if bar == finish else "continue"
                note.tie = m21.tie.Tie(kind)
            measures[bar].insert(Fraction(start - int(lines[bar]), ticks_per_beat), note)
