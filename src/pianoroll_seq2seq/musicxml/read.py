"""Reading MusicXML files."""

import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Literal, TypeVar
from xml.etree.ElementTree import Element

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import LimitError, MidiError, MusicXMLError, SettingsError
from pianoroll_seq2seq.midi_io.source import MidiSource, bytes_of
from pianoroll_seq2seq.musicxml.assembly import DEFAULT_VELOCITY, Signatures, TimedNote, score_in_ticks, without_ties
from pianoroll_seq2seq.musicxml.conventions import OWN_END, OWN_TICKS
from pianoroll_seq2seq.musicxml.document import score_element
from pianoroll_seq2seq.musicxml.measures import Bar, PartReader
from pianoroll_seq2seq.parts import DRUM_CHANNEL, Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature

_DEFAULT_BAR = Fraction(4)
_DIGITS = 10  # of a whole number, at most
_Value = TypeVar("_Value")


def read_musicxml(
    path: MidiSource,
    *,
    name: str | None = None,
    unpitched: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> Score:
    """Reads a MusicXML file into a :class:`Score`: notes at sounding pitch, parts, tempi, time and key signatures.

    Tied notes are one note, grace notes have no length, ornaments are not played, and cue notes are left out. Repeats
    are read once. A note has the velocity that the file gives it or, by its dynamics, its part; else 90. A bar that is
    shorter or longer than its time signature says, such as an upbeat, has the signature again after it, so that bar
    lines are where they are in the score. The music ends with its last note, except in files of
    :func:`write_musicxml`, which keep the silence at the end.

    A part is a drum kit if it is on channel 10 or has unpitched instruments. The ticks per beat are chosen so that
    every note is exactly on a tick, triplets included; at most they are 10,080.

    Args:
        path: the file: ``.musicxml``, ``.xml``, or compressed as ``.mxl``; or its bytes, or an open file.
        name: the name of the score; the file's name without its ending by default.
        unpitched: what to do with unpitched notes (percussion clefs) whose drum the file does not name: raise an error,
            or leave them out with a warning.
        limits: how large the file may be, packed and unpacked, and how many parts it may have.

    Raises:
        MidiNotFoundError: no such file.
        MusicXMLError: not MusicXML, a file that is cut, a value out of range, or unpitched notes and
            ``unpitched="error"``.
        LimitError: a file that is larger, or has more parts, than the limits allow.

    Warns:
        UserWarning: notes that are left out or moved to the nearest tick, and how many.
    """
    if unpitched not in ("error", "drop"):
        raise SettingsError(f"unpitched must be 'error' or 'drop', got {unpitched!r}.")
    data, label = bytes_of(path, limits)
    root = score_element(data, label, limits)
    try:
        return _read(root, Path(label).stem if name is None else name, label, unpitched=unpitched, limits=limits)
    except MidiError as error:
        raise type(error)(f"{label}: {error}") from error


@dataclass
class _PartEntry:
    """A part of the list at the beginning of a file."""

    part: Part
    drum_numbers: dict[str, int]
    measures: list[Element]


def _read(root: Element, name: str, label: str, *, unpitched: str, limits: Limits) -> Score:
    entries = _part_entries(root, limits)
    bars = [_bars_of(entry, index) for index, entry in enumerate(entries)]
    lines = _bar_lines(bars)
    notes, tempi = [], []
    num_unknown = 0
    for index, (entry, of_part) in enumerate(zip(entries, bars, strict=True)):
        found = _timed_notes(of_part, lines)
        known = [note for note in found if note.pitch is not None]
        if len(known) < len(found) and unpitched == "error":
            raise MusicXMLError(
                f"part {printable(entry.part.name) or index + 1!r} has {len(found) - len(known)} unpitched notes (a "
                f"percussion clef), and the file does not say which drums they are. Give its instruments MIDI numbers "
                f"in the program that wrote it, or pass unpitched='drop' to leave them out."
            )
        num_unknown += len(found) - len(known)
        notes.append(without_ties(known))
        tempi += _at_times(lines, [bar.tempi for bar in of_part])
    if num_unknown:
        warnings.warn(f"{label}: {num_unknown} unpitched notes whose drum is unknown; left out.", stacklevel=4)
    own = _own_numbers(root)
    own_ticks = own.get(OWN_TICKS)
    end = Fraction(own[OWN_END], own_ticks) if own_ticks and OWN_END in own else Fraction(0)
    score, moved = score_in_ticks(
        notes,
        sorted(tempi, key=lambda one: one[0]),
        _signatures(bars, lines),
        parts=tuple(entry.part for entry in entries),
        name=name,
        end=end,
        ticks_per_beat=own_ticks,
    )
    if moved:
        warnings.warn(
            f"{label}: {moved} notes are at times that no MIDI file has exactly; moved to the nearest of "
            f"{score.ticks_per_beat} ticks per beat.",
            stacklevel=4,
        )
    return score


def _part_entries(root: Element, limits: Limits) -> list[_PartEntry]:
    """The parts in the order of the list, with their bars."""
    measures: dict[str, list[Element]] = {}
    if root.tag == "score-partwise":
        for part in root.findall("part"):
            measures.setdefault(part.get("id", ""), []).extend(part.findall("measure"))
    else:
        for measure in root.findall("measure"):
            for part in measure.findall("part"):
                part.set("number", measure.get("number", "?"))
                measures.setdefault(part.get("id", ""), []).append(part)
    listed = {one.get("id", ""): one for one in root.iterfind("part-list/score-part")}
    ids = [*listed, *(one for one in measures if one not in listed)]
    if len(ids) > limits.max_parts:
        raise LimitError(f"{len(ids)} parts; Limits allow max_parts={limits.max_parts}.")
    return [_part_entry(listed.get(one), measures.get(one, [])) for one in ids]


def _part_entry(entry: Element | None, measures: list[Element]) -> _PartEntry:
    program, channels, drum_numbers = 0, set(), {}
    midi = [] if entry is None else entry.findall("midi-instrument")
    for instrument in reversed(midi):  # the program is that of the first
        program = _whole(instrument.findtext("midi-program"), 1, 128, default=program + 1) - 1
        channels.add(_whole(instrument.findtext("midi-channel"), 1, 16, default=0) - 1)
        drum = _whole(instrument.findtext("midi-unpitched"), 1, 128, default=0) - 1
        if drum >= 0:
            drum_numbers[instrument.get("id", "")] = drum
    name = "" if entry is None else entry.findtext("part-name") or ""
    drums = DRUM_CHANNEL in channels or bool(drum_numbers)
    return _PartEntry(Part(name, program, drums), drum_numbers, measures)


def _bars_of(entry: _PartEntry, index: int) -> list[Bar]:
    reader = PartReader(printable(entry.part.name) or str(index + 1), entry.drum_numbers)
    return [reader.bar(measure) for measure in entry.measures]


def _bar_lines(bars: Sequence[Sequence[Bar]]) -> list[Fraction]:
    """The beginnings of all bars, and the end of the last.

    A bar is as long as in the part with notes where it is longest. A rest for a whole bar may have any length in files,
    so a bar of rests is as long as its time signature says, if that is the length in any part, or if all are empty.
    """
    lengths = []
    nominal = _DEFAULT_BAR
    for index in range(max(map(len, bars), default=0)):
        same = [part[index] for part in bars if index < len(part)]
        signature = next((one for bar in same for _, one in bar.times[-1:]), None)
        if signature:
            nominal = Fraction(4 * signature[0], signature[1])
        written = {bar.length for bar in same if bar.notes} or {bar.length for bar in same}
        is_rest = not any(bar.notes for bar in same)
        lengths.append(nominal if is_rest and nominal in written else max(written) or nominal)
    return list(accumulate(lengths, initial=Fraction(0)))


def _at_times(
    lines: Sequence[Fraction], of_bars: Sequence[Sequence[tuple[Fraction, _Value]]]
) -> list[tuple[Fraction, _Value]]:
    """What is written in the bars of a part, by its time in the music."""
    return [(start + at, value) for start, found in zip(lines, of_bars, strict=False) for at, value in found]


def _timed_notes(bars: Sequence[Bar], lines: Sequence[Fraction]) -> list[TimedNote]:
    dynamics = sorted(_at_times(lines, [bar.dynamics for bar in bars]), key=lambda one: one[0])
    times = [time for time, _ in dynamics]
    ties = {(False, False): None, (False, True): "start", (True, True): "continue", (True, False): "stop"}
    notes = []
    for start, bar in zip(lines, bars, strict=False):
        for note in bar.notes:
            velocity = note.velocity
            if velocity is None:
                last = bisect_right(times, start + note.onset)
                velocity = dynamics[last - 1][1] if last else DEFAULT_VELOCITY
            tie = ties[note.tied_before, note.tied_after]
            notes.append(TimedNote(start + note.onset, start + note.end, note.pitch, velocity, tie, note.voice))
    return notes


def _signatures(bars: Sequence[Sequence[Bar]], lines: Sequence[Fraction]) -> Signatures:
    """The signatures of the first part that has any; keys as they sound."""
    times = next((found for part in bars if (found := _at_times(lines, [bar.times for bar in part]))), [])
    keys = []
    for part in bars:
        for start, bar in zip(lines, part, strict=False):
            for at, (fifths, minor), semitones in bar.keys:
                key = KeySignature(0, fifths, minor).transpose(semitones)
                keys.append((start + at, (key.fifths, key.minor)))
        if keys:
            break
    signatures = Signatures(times, keys)
    signatures.repeat_after_irregular_bars(lines[:-1])
    return signatures


def _own_numbers(root: Element) -> Mapping[str, int]:
    """The numbers that :func:`write_musicxml` adds to what MusicXML has."""
    found = {}
    for one in root.iterfind("identification/miscellaneous/miscellaneous-field"):
        number = _whole(one.text, 1, 10**_DIGITS, default=0)
        if one.get("name") in (OWN_TICKS, OWN_END) and number:
            found[str(one.get("name"))] = number
    return found


def _whole(text: str | None, least: int, most: int, *, default: int) -> int:
    """The whole number in a text; the default for anything else, or a number out of range."""
    text = (text or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        return default
    return int(text) if least <= int(text) <= most else default
