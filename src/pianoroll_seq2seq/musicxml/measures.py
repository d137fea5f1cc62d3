"""The bars of a part as they are written: notes, signatures and tempi by their time in the bar.

Times are in quarter notes. A part has a position, which each note moves on, and which ``backup`` and ``forward`` move
between voices.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pianoroll_seq2seq.errors import MusicXMLError
from pianoroll_seq2seq.musicxml.conventions import FULL_DYNAMICS
from pianoroll_seq2seq.signatures import is_key_signature, is_time_signature

_NUMBER = re.compile(
    r"[+-]?\d{1,12}(\.\d{0,30})?|[+-]?\.\d{1,30}", re.ASCII
)  # of a size that cannot slow anything down
_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_BEAT_UNITS: dict[str, Fraction | int] = {
    **dict(zip(("maxima", "long", "breve", "whole", "half", "quarter"), (32, 16, 8, 4, 2, 1), strict=True)),
    "eighth": Fraction(1, 2),
    **{name: Fraction(4, int(name[:-2])) for name in ("16th", "32nd", "64th", "128th", "256th", "512th")},
}


class WrittenNote(NamedTuple):
    """A note as it is written: a part of a sounding note, if it is tied. Its times are those in its bar."""

    onset: Fraction
    end: Fraction
    pitch: int | None
    """The sounding MIDI number; None for an unpitched note whose drum is unknown."""
    velocity: int | None
    voice: str
    tied_before: bool
    tied_after: bool


@dataclass
class Bar:
    """What is written in a bar of a part, by its time from the beginning of the bar."""

    length: Fraction = Fraction(0)
    notes: list[WrittenNote] = field(default_factory=list)
    times: list[tuple[Fraction, tuple[int, int]]] = field(default_factory=list)
    keys: list[tuple[Fraction, tuple[int, bool], int]] = field(default_factory=list)
    """Fifths and minor, and the semitones from written to sounding pitch."""
    tempi: list[tuple[Fraction, int]] = field(default_factory=list)
    """Microseconds per quarter note."""
    dynamics: list[tuple[Fraction, int]] = field(default_factory=list)
    """The velocity of notes that have none of their own."""


class PartReader:
    """Reads the bars of a part one after the other.

    Args:
        name: the part in messages.
        drum_numbers: the MIDI numbers of its unpitched instruments, by their ids.
    """

    def __init__(self, name: str, drum_numbers: Mapping[str, int]) -> None:
        """A part before its first bar."""
        self._name = name
        self._drum_numbers = drum_numbers
        self._divisions = Fraction(1)
        self._semitones = 0  # from written to sounding pitch
        self._position = Fraction(0)
        self._onset = Fraction(0)  # of the last note, for the other notes of its chord

    def bar(self, measure: Element) -> Bar:
        """The next bar.

        Raises:
            MusicXMLError: a value out of range; the message names the part and the number of the bar.
        """
        bar = Bar()
        self._position = self._onset = Fraction(0)
        try:
            for element in measure:
                self._read(element, bar)
                bar.length = max(bar.length, self._position)
        except MusicXMLError as error:
            number = measure.get("number") or "?"
            raise MusicXMLError(f"part {self._name!r}, bar {number:.12}: {error}") from error
        return bar

    def _read(self, element: Element, bar: Bar) -> None:
        if element.tag == "note":
            self._read_note(element, bar)
        elif element.tag == "backup":
            self._position = max(self._position - self._duration(element), Fraction(0))
        elif element.tag == "forward":
            self._position += self._duration(element)
        elif element.tag == "attributes":
            self._read_attributes(element, bar)
        elif element.tag == "direction":
            at = max(self._position + _number(element, "offset", default=Fraction(0)) / self._divisions, Fraction(0))
            sound = element.find("sound")
            if sound is None or not self._read_sound(sound, at, bar):
                tempo = next((one for mark in element.iter("metronome") if (one := _tempo_of(mark)) is not None), None)
                _add_tempo(tempo, at, bar)
        elif element.tag == "sound":
            self._read_sound(element, self._position, bar)

    def _read_note(self, element: Element, bar: Bar) -> None:
        duration = Fraction(0) if element.find("grace") is not None else self._duration(element)
        if element.find("chord") is None:
            self._onset = self._position
            self._position += duration
        is_unpitched = element.find("unpitched") is not None
        pitch = element.find("pitch")
        if (pitch is None and not is_unpitched) or element.find("cue") is not None:
            return  # a rest, or what another part plays
        ties = {tie.get("type") for tie in element.findall("tie")}
        dynamics = _attribute(element, "dynamics")
        bar.notes.append(
            WrittenNote(
                self._onset,
                self._onset + duration,
                self._drum_of(element) if pitch is None else _midi_number(pitch) + self._semitones,
                None if dynamics is None else _velocity(dynamics),
                element.findtext("voice") or "1",
                tied_before="stop" in ties,
                tied_after="start" in ties,
            )
        )

    def _drum_of(self, element: Element) -> int | None:
        """The MIDI number of an unpitched note's instrument, which a part with only one need not name."""
        instrument = element.find("instrument")
        if instrument is not None:
            return self._drum_numbers.get(instrument.get("id", ""))
        numbers = list(self._drum_numbers.values())
        return numbers[0] if len(numbers) == 1 else None

    def _read_attributes(self, element: Element, bar: Bar) -> None:
        if element.find("divisions") is not None:
            self._divisions = _number(element, "divisions")
            if self._divisions <= 0:
                raise MusicXMLError(f"divisions must be above 0, got {self._divisions}.")
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = _number(transpose, "octave-change", default=Fraction(0))
            self._semitones = round(_number(transpose, "chromatic", default=Fraction(0)) + 12 * octaves)
        key, time = element.find("key"), element.find("time")
        if key is not None and key.find("fifths") is not None:
            fifths = int(_number(key, "fifths"))
            if is_key_signature(fifths, 0):
                bar.keys.append((self._position, (fifths, key.findtext("mode") == "minor"), self._semitones))
        if time is not None and (signature := _time_signature(time)) is not None:
            bar.times.append((self._position, signature))

    def _read_sound(self, sound: Element, at: Fraction, bar: Bar) -> bool:
        """Reads tempo and dynamics; says whether there is a tempo."""
        dynamics = _attribute(sound, "dynamics")
        if dynamics is not None:
            bar.dynamics.append((at, _velocity(dynamics)))
        tempo = _attribute(sound, "tempo")
        _add_tempo(tempo, at, bar)
        return tempo is not None

    def _duration(self, element: Element) -> Fraction:
        duration = _number(element, "duration")
        if duration < 0:
            raise MusicXMLError(f"a duration must not be negative, got {duration}.")
        return duration / self._divisions


def _add_tempo(beats_per_minute: Fraction | None, at: Fraction, bar: Bar) -> None:
    if beats_per_minute is not None and beats_per_minute > 0:
        bar.tempi.append((at, round(60_000_000 / beats_per_minute)))


def _tempo_of(metronome: Element) -> Fraction | None:
    """Quarter notes a minute, if the mark says how many beats and not only which equals which."""
    unit, text = metronome.findtext("beat-unit", ""), metronome.findtext("per-minute", "").strip()
    if unit not in _BEAT_UNITS or not _NUMBER.fullmatch(text):
        return None
    dots = len(metronome.findall("beat-unit-dot"))
    return Fraction(text) * _BEAT_UNITS[unit] * (2 - Fraction(1, 2 ** min(dots, 8)))


def _time_signature(time: Element) -> tuple[int, int] | None:
    """Numerator and denominator; 3+2/8 is 5/8. None for what is no such signature."""
    beats = [part for one in time.findall("beats") for part in (one.text or "").split("+")]
    units = {(one.text or "").strip() for one in time.findall("beat-type")}
    if len(units) != 1 or not all(re.fullmatch(r"\s*[0-9]{1,3}\s*", text) for text in (*beats, *units)):
        return None
    numerator, denominator = sum(map(int, beats)), int(units.pop())
    return (numerator, denominator) if is_time_signature(numerator, denominator) else None


def _midi_number(pitch: Element) -> int:
    step = (pitch.findtext("step") or "").strip()
    if step not in _PITCH_CLASSES:
        raise MusicXMLError(f"a pitch needs a step of A to G, got {step!r:.12}.")
    alter = _number(pitch, "alter", default=Fraction(0))
    octave = int(_number(pitch, "octave"))
    return 12 * (octave + 1) + _PITCH_CLASSES[step] + int((alter + Fraction(1, 2)).__floor__())


def _velocity(dynamics: Fraction) -> int:
    return min(max(round(dynamics * FULL_DYNAMICS / 100), 1), 127)


def _number(element: Element, tag: str, *, default: Fraction | None = None) -> Fraction:
    """The number in a child element."""
    text = element.findtext(tag)
    if text is None and default is not None:
        return default
    return _parsed_number(text, f"<{tag}>")


def _attribute(element: Element, name: str) -> Fraction | None:
    text = element.get(name)
    return None if text is None else _parsed_number(text, name)


def _parsed_number(text: str | None, what: str) -> Fraction:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        found = "nothing" if text is None else repr(text[:24])
        raise MusicXMLError(f"{what} must be a number below 10^12, got {found}.")
    return Fraction(text.strip())
