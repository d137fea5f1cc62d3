"""Writing MusicXML files."""

import io
import os
import re
import warnings
import zipfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.musicxml.accidentals import accidentals_of
from pianoroll_seq2seq.musicxml.bars import Bars, bars_of
from pianoroll_seq2seq.musicxml.beams import beam_ticks, with_beams
from pianoroll_seq2seq.musicxml.conventions import OWN_END, OWN_TICKS
from pianoroll_seq2seq.musicxml.notation import Segment, check_size, pieces_of_bar, segments_of, voices_of
from pianoroll_seq2seq.musicxml.note_elements import Place, instrument_id, move, write_piece
from pianoroll_seq2seq.musicxml.staves import clef_of, staves_of
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import DRUM_CHANNEL, Part
from pianoroll_seq2seq.score import Score

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_NOT_IN_XML = re.compile("[\\x00-\\x08\\x0b-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""


class _Event(NamedTuple):
    """A key signature, or a tempo change."""

    tick: int
    element: Element
    fifths: int | None = None
    """Of a key signature."""


def write_musicxml(score: Score, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes a score as a MusicXML file, which notation programs such as MuseScore open.

    It has bars (of 4/4 if there is no time signature), ties over bar lines, tuplets, and voices for notes of a part
    that overlap. :func:`read_musicxml` reads the same score: notes, velocities, parts, tempi, signatures and the
    silence at the end. Signatures and tempo changes after the end of the music are left out.

    Args:
        score: the score. Its times must be such that notation has values for them: music on a grid, such as
            ``roll.to_score()``.
        path: the file to write; missing folders are made. A file with the ending ``.mxl`` is compressed.
        overwrite: whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        MusicXMLError: times for which notation has no values.
        LimitError: more bars, or notes over more bars, than anybody could open.

    Warns:
        UserWarning: controllers, which are left out.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import NoteTable, Score, TempoMap, read_musicxml
        >>> notes = NoteTable(onset_tick=[0], end_tick=[480], pitch=[60], velocity=[90], part=[0])
        >>> score = Score(notes, TempoMap(480))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_musicxml(write_musicxml(score, f"{folder}/song.musicxml")) == score
        True
    """
    path = Path(path)
    data = to_musicxml_bytes(score)
    with writing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(_packed(data) if path.suffix.lower() == ".mxl" else data)
    return path


def to_musicxml_bytes(score: Score) -> bytes:
    """The bytes of the file that :func:`write_musicxml` writes."""
    label = score.name or "The score"
    if len(score.controllers):
        warnings.warn(f"{label}: MusicXML has no place for its {len(score.controllers)} controllers.", stacklevel=3)
    try:
        root = _document(score)
    except MidiError as error:
        raise type(error)(f"{label}: {error}") from error
    ElementTree.indent(root)
    return (_HEAD + ElementTree.tostring(root, encoding="unicode") + "\n").encode()


def _packed(data: bytes) -> bytes:
    """A compressed MusicXML file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", _CONTAINER.encode()), ("score.musicxml", data)):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # the same bytes at any time of day
    return packed.getvalue()


def _document(score: Score) -> Element:
    bars = bars_of(score)
    root = Element("score-partwise", version="4.0")
    if score.name:
        SubElement(SubElement(root, "work"), "work-title").text = _xml_text(score.name)
    about = SubElement(root, "identification")
    SubElement(SubElement(about, "encoding"), "software").text = "pianoroll-seq2seq"
    own = SubElement(about, "miscellaneous")
    SubElement(own, "miscellaneous-field", name=OWN_TICKS).text = str(score.ticks_per_beat)
    if score.end_tick is not None:
        SubElement(own, "miscellaneous-field", name=OWN_END).text = str(score.end_tick)
    listed = SubElement(root, "part-list")
    parts = score.parts or (Part(),)
    tables = score.notes.by_part(len(parts))
    for index, (part, notes) in enumerate(zip(parts, tables, strict=True)):
        fine = _scaled(notes, bars.scale)
        check_size(fine, bars.lines)
        _list_part(listed, part, f"P{index + 1}", notes)
        element = SubElement(root, "part", id=f"P{index + 1}")
        _write_part(element, part, fine, bars, _events(score, bars, tempi=index == 0))
    return root


def _scaled(notes: NoteTable, scale: int) -> NoteTable:
    if scale == 1:
        return notes
    return NoteTable(notes.onset_tick * scale, notes.end_tick * scale, notes.pitch, notes.velocity, notes.part)


def _list_part(listed: Element, part: Part, part_id: str, notes: NoteTable) -> None:
    """The name of a part, and its instruments: one, or one for each drum."""
    entry = SubElement(listed, "score-part", id=part_id)
    SubElement(entry, "part-name").text = _xml_text(part.name)
    drums = sorted(set(notes.pitch.tolist())) if part.drums else []
    ids = [instrument_id(part_id, drum) for drum in drums or [0]]
    for instrument in ids:
        name = SubElement(SubElement(entry, "score-instrument", id=instrument), "instrument-name")
        name.text = _xml_text(part.name)
    for instrument, drum in zip(ids, drums or [None], strict=True):
        midi = SubElement(entry, "midi-instrument", id=instrument)
        if part.drums:
            SubElement(midi, "midi-channel").text = str(DRUM_CHANNEL + 1)
        SubElement(midi, "midi-program").text = str(part.program + 1)
        if drum is not None:
            SubElement(midi, "midi-unpitched").text = str(drum + 1)


def _write_part(element: Element, part: Part, notes: NoteTable, bars: Bars, events: Sequence[_Event]) -> None:
    """The bars of a part: in each the signatures, one voice after the other, and what begins inside the bar."""
    staves = staves_of(part, notes)
    voices = list(_voices(part, str(element.get("id")), staves, bars.lines))
    ticks = [event.tick for event in events]
    keys = [event for event in events if event.fifths is not None]
    clefs = [clef_of(part, staff, alone=len(staves) == 1) for staff in staves]
    signature = None
    for index, (start, end) in enumerate(pairwise(bars.lines.tolist())):
        number = index + 1 - bars.is_upbeat
        measure = SubElement(element, "measure", number=str(number))
        if number == 0:
            measure.set("implicit", "yes")
        inside = events[bisect_left(ticks, start) : bisect_left(ticks, end)]
        opening = [event for event in inside if event.tick == start]
        _write_attributes(measure, index, bars, [event for event in opening if event.fifths is not None], clefs)
        measure.extend(event.element for event in opening if event.fifths is None)
        signature = bars.times.get(index, signature)
        beam = beam_ticks(signature, bars.ticks_per_beat)
        missing = (start - end) % beam if index == 0 and bars.is_upbeat else 0
        position = 0
        while len(keys) > 1 and keys[1].tick <= start:
            keys.pop(0)
        fifths = (keys[0].fifths if keys and keys[0].tick <= start else None) or 0
        written = [
            (place, with_beams(pieces_of_bar(segments, end - start, bars.ticks_per_beat), beam, missing))
            for place, segments in _inside(voices, index)
        ]
        accidentals = {
            staff: accidentals_of(chain(*(pieces for place, pieces in written if place.staff == staff)), fifths)
            for staff in {place.staff for place, _ in written}
        }
        for place, pieces in written:
            move(measure, position, 0)
            position = 0
            for piece in pieces:
                write_piece(measure, piece, place, fifths=fifths, accidentals=accidentals[place.staff])
                position += piece.length
        for event in inside[len(opening) :]:
            move(measure, position, event.tick - start)
            position = event.tick - start
            measure.append(event.element if event.fifths is None else _attributes(event.element))
        move(measure, position, end - start)
    SubElement(SubElement(element[-1], "barline", location="right"), "bar-style").text = "light-heavy"


def _voices(
    part: Part, part_id: str, staves: Sequence[NoteTable], lines: np.ndarray
) -> Iterator[tuple[Place, dict[int, list[Segment]]]]:
    """The voices of all staves of a part, each with its segments by bar; a staff without notes has one voice."""
    number = 0
    for staff, notes in enumerate(staves, 1):
        for voice in voices_of(notes) or [[]]:
            number += 1
            place = Place(part, part_id, number, staff if len(staves) > 1 else None)
            yield place, segments_of(voice, lines) if voice else {}


def _inside(
    voices: Sequence[tuple[Place, dict[int, list[Segment]]]], bar: int
) -> Iterator[tuple[Place, Sequence[Segment]]]:
    """The voices that have notes in a bar, the first of each staff with rests; a silent staff has one voice."""
    sounding = {place.staff for place, segments in voices if bar in segments}
    begun: set[int | None] = set()
    for place, segments in voices:
        if bar in segments or place.staff not in sounding | begun:
            yield place._replace(has_rests=place.staff not in begun), segments.get(bar, [])
            begun.add(place.staff)


def _events(score: Score, bars: Bars, *, tempi: bool) -> list[_Event]:
    """Key signatures and tempo changes before the end of the music, in order."""
    found = []
    for key in score.meter.key_signatures:
        element = Element("key")
        SubElement(element, "fifths").text = str(key.fifths)
        SubElement(element, "mode").text = "minor" if key.minor else "major"
        found.append(_Event(key.tick * bars.scale, element, key.fifths))
    if tempi:
        found += [_Event(tick * bars.scale, _tempo_mark(us_per_beat)) for tick, us_per_beat in score.tempo.changes]
    end = max(score.num_ticks * bars.scale, 1)
    return sorted((event for event in found if event.tick < end), key=lambda event: event.tick)


def _tempo_mark(us_per_beat: int) -> Element:
    beats_per_minute = 60_000_000 / us_per_beat
    direction = Element("direction", placement="above")
    metronome = SubElement(SubElement(direction, "direction-type"), "metronome")
    SubElement(metronome, "beat-unit").text = "quarter"
    SubElement(metronome, "per-minute").text = f"{beats_per_minute:.2f}".rstrip("0").rstrip(".")
    SubElement(direction, "sound", tempo=f"{beats_per_minute:.12f}".rstrip("0").rstrip("."))
    return direction


def _write_attributes(
    measure: Element, index: int, bars: Bars, keys: Sequence[_Event], clefs: Sequence[Element]
) -> None:
    """What stands at the beginning of a bar: in the first one ticks and clefs, and signatures where they change."""
    attributes = Element("attributes")
    if index == 0:
        SubElement(attributes, "divisions").text = str(bars.ticks_per_beat)
    attributes.extend(key.element for key in keys)
    if index in bars.times:
        time = SubElement(attributes, "time")
        SubElement(time, "beats").text = str(bars.times[index].numerator)
        SubElement(time, "beat-type").text = str(bars.times[index].denominator)
    if index == 0:
        if len(clefs) > 1:
            SubElement(attributes, "staves").text = str(len(clefs))
            for number, clef in enumerate(clefs, 1):
                clef.set("number", str(number))
        attributes.extend(clefs)
    if len(attributes):
        measure.append(attributes)


def _attributes(key: Element) -> Element:
    attributes = Element("attributes")
    attributes.append(key)
    return attributes


def _xml_text(text: str) -> str:
    """A text without what XML cannot hold: escapes take its place."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
