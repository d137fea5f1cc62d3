"""J. S. Bach's four-part chorales: 350 short pieces from music21's corpus (public domain).

They are the 371 numbers of Riemenschneider's edition, 21 of which repeat the BWV number of another. Soprano, alto,
tenor and bass are kept, instrumental parts are dropped; BWV 27.6 has two sopranos.

Bach harmonized many hymn tunes several times. Such chorales share their melody, so training and test pieces with the
same tune leak: :attr:`Chorale.tune` is equal for the chorales of one tune. ::

    chorales = bach_chorales()
    rolls = [PianoRoll.from_score(chorale.score, pitches=COMPASS) for chorale in chorales.values()]
    split = split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=lambda roll: chorales[roll.name].tune)
"""

import json
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import asdict

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.documents import read_json
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import MidiError, MissingExtraError, SettingsError, ShapeError
from pianoroll_seq2seq.interop import score_from_music21
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
"""The names of a chorale's parts, highest first."""

COMPASS = PitchRange(36, 81)
"""The pitches that the voices of all chorales need."""

_FORMAT = 2  # of the cache file: increment it when its content changes
_TUNE_INTERVALS = 6
_TUNE_SHARE = 0.25
_Column = list[Annotated[int, Meta(ge=0, le=MAX_TICK)]]


@dataclass(frozen=True)
class Chorale:
    """One chorale.

    Args:
        name: its number in the catalogue of Bach's works, such as ``bwv269``; also the name of its score.
        title: the first words of the hymn.
        score: the notes of the voices, from the first note on. Tied notes are one note, notes without length
            (grace notes) are dropped, repeats are written once, and fermatas are ignored. It has the time and key
            signatures.
        key: the key of the soprano's key signature, such as ``a minor`` or ``B- major`` (B flat); empty if it has
            none.
        time_signature: the first, such as ``4/4``.
        tune: the name of the first chorale with the same melody or title, of those that were read together.
    """

    name: str
    title: str
    score: Score
    key: str
    time_signature: str
    tune: str


def bach_chorales(
    names: Iterable[str] | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> dict[str, Chorale]:
    """The chorales by name, in the order of Riemenschneider's edition (extra ``datasets``).

    Parsing all of them takes music21 up to a minute, so the result is cached in a file (2 MB).

    Args:
        names: only these, such as ``["bwv269", "bwv153.1"]``; they are parsed if there is no cached file.
        cache_dir: the folder of the cached file; the user's cache folder by default.
        progress: whether to show a progress bar while parsing.

    Raises:
        SettingsError: an unknown name.
        MissingExtraError: music21 or pooch is not installed.

    Example:
        >>> chorale = bach_chorales(["bwv269"], progress=False)["bwv269"]
        >>> chorale.title, chorale.key, chorale.time_signature
        ('Aus meines Herzens Grunde', 'G major', '3/4')
    """
    m21 = _music21()
    titles = _titles(m21)
    requested = set(titles if names is None else names)
    if unknown := requested - titles.keys():
        raise SettingsError(
            f"No chorale is named {', '.join(map(repr, sorted(unknown)))}. Names are like 'bwv269' or 'bwv153.1'; "
            f"bach_chorales() gives all {len(titles)}."
        )
    path = _cache_folder(cache_dir) / f"bach_chorales-{_FORMAT}-music21-{m21.VERSION_STR}.json"
    chorales = _read_cache(path, titles.keys())
    if chorales is None:
        chosen = [name for name in titles if name in requested]
        bar = tqdm(chosen, "parse", unit="chorale", disable=not progress)
        chorales = [_parse(name, titles[name], m21) for name in bar]
        if len(chosen) == len(titles):
            _write_cache(chorales, path)
    chorales = [chorale for chorale in chorales if chorale.name in requested]
    tunes = _tunes(chorales)
    return {chorale.name: replace(chorale, tune=tunes[chorale.name]) for chorale in chorales}


def _music21() -> Any:
    try:
        import music21
    except ImportError as error:
        raise MissingExtraError("music21", "datasets", "Reading Bach's chorales") from error
    return music21


def _cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir)
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "datasets", "Caching a data set") from error
    return Path(pooch.os_cache("pianoroll_seq2seq"))


def _titles(m21: Any) -> dict[str, str]:
    """The title of each chorale by its name, in the order of their first numbers in the edition."""
    edition = m21.corpus.chorales.ChoraleListRKBWV().byRiemenschneider
    titles: dict[str, str] = {}
    for number in sorted(edition):
        titles.setdefault(f"bwv{edition[number]['bwv']}", edition[number]["title"])
    return titles


def _parse(name: str, title: str, m21: Any) -> Chorale:
    """One chorale, without its tune. ``forceSource``: otherwise music21 loads pickles from a shared folder."""
    stream = m21.corpus.parse(f"bach/{name}", forceSource=True)
    parts = list(stream.parts)
    voices = [part for part in parts if (part.partName or "").startswith(VOICES)] or parts
    for part in parts:
        if part not in voices:
            stream.remove(part)
    melody = voices[0].flatten()
    signatures = melody.getElementsByClass(m21.meter.TimeSignature)
    key = melody.getElementsByClass(m21.key.Key).first()
    score = _from_first_note(score_from_music21(stream), name)
    if len(voices) == len(VOICES):
        score = replace(score, parts=tuple(map(Part, VOICES)))
    return Chorale(name, title, score, str(key or ""), signatures.first().ratioString, "")


def _from_first_note(score: Score, name: str) -> Score:
    """The notes that have a length, the first of them at tick 0."""
    notes = score.notes.where(score.notes.end_tick > score.notes.onset_tick)
    start = int(notes.onset_tick[0])
    return replace(score, notes=notes, name=name, end_tick=None).shift(-start)


class _Cached(Struct, frozen=True, forbid_unknown_fields=True):
    """A chorale in the cache file."""

    name: str
    title: str
    key: str
    time_signature: str
    ticks_per_beat: int
    tempo: list[tuple[int, int]]
    meter: dict[str, list[list[int]]]
    parts: list[str]
    notes: tuple[_Column, _Column, _Column, _Column, _Column]


def _write_cache(chorales: Sequence[Chorale], path: Path) -> None:
    """Caches the chorales; warns if the folder cannot be written."""
    pieces = [
        _Cached(
            chorale.name,
            chorale.title,
            chorale.key,
            chorale.time_signature,
            chorale.score.ticks_per_beat,
            list(chorale.score.tempo.changes),
            chorale.score.meter.to_dict(),
            [part.name for part in chorale.score.parts],
            tuple(getattr(chorale.score.notes, column).tolist() for column in _COLUMNS),
        )
        for chorale in chorales
    ]
    try:
        with writing(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(pieces, default=asdict), encoding="utf-8")
    except OSError as error:
        warnings.warn(f"The chorales could not be cached in {path} ({error}); pass another cache_dir.", stacklevel=3)


_COLUMNS = ("onset_tick", "end_tick", "pitch", "velocity", "part")


def _read_cache(path: Path, names: Iterable[str]) -> list[Chorale] | None:
    """The cached chorales; None if there is no such file, or it is damaged."""
    try:
        chorales = [
            Chorale(
                piece.name,
                piece.title,
                Score(
                    NoteTable(*piece.notes),
                    TempoMap(piece.ticks_per_beat, piece.tempo),
                    tuple(map(Part, piece.parts)),
                    piece.name,
                    meter=Meter.from_dict(piece.meter),
                ),
                piece.key,
                piece.time_signature,
                "",
            )
            for piece in read_json(path, list[_Cached], MidiError)
        ]
    except (MidiError, ShapeError):
        return None
    return chorales if [chorale.name for chorale in chorales] == list(names) else None


def _tunes(chorales: Sequence[Chorale]) -> dict[str, str]:
    """The name of the first chorale of each chorale's group, by name.

    Two chorales are in one group if they have the same title, or if they share at least a quarter of the melody's runs
    of six intervals from beat to beat (of the chorale with fewer runs). Groups with a common chorale are joined.
    """
    runs = {chorale.name: _runs(chorale.score) for chorale in chorales}
    holders: dict[object, list[str]] = defaultdict(list)
    for chorale in chorales:
        for run in (chorale.title, *runs[chorale.name]):
            holders[run].append(chorale.name)
    titles = {chorale.name: chorale.title for chorale in chorales}
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for alike in holders.values():
        for index, second in enumerate(alike):
            for first in alike[:index]:
                shared[first, second] += 1
    tune = {chorale.name: chorale.name for chorale in chorales}

    def first_of(name: str) -> str:
        while tune[name] != name:
            name = tune[name]
        return name

    order = {chorale.name: index for index, chorale in enumerate(chorales)}
    for (first, second), count in shared.items():
        same_title = titles[first] == titles[second]
        if same_title or count >= _TUNE_SHARE * min(len(runs[first]), len(runs[second])):
            earlier, later = sorted((first_of(first), first_of(second)), key=order.__getitem__)
            tune[later] = earlier
    return {name: first_of(name) for name in tune}


def _runs(score: Score) -> set[tuple[int, ...]]:
    """All runs of intervals, in semitones, between the notes of the first part on consecutive beats."""
    melody = score.notes.where(score.notes.part == 0)
    beats = np.arange(0, int(melody.end_tick.max()), score.ticks_per_beat)
    note = np.maximum(np.searchsorted(melody.onset_tick, beats, side="right") - 1, 0)
    sounding = (melody.onset_tick[note] <= beats) & (melody.end_tick[note] > beats)
    intervals = np.diff(melody.pitch[note[sounding]]).tolist()
    return {tuple(intervals[start : start + _TUNE_INTERVALS]) for start in range(len(intervals) - _TUNE_INTERVALS + 1)}
