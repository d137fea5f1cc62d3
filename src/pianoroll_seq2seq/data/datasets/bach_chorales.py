"""J. S. Bach's four-part chorales: 350 short pieces from music21's corpus (public domain).

They are the 371 numbers of Riemenschneider's edition, 21 of which repeat the BWV number of another. Soprano, alto,
tenor and bass are kept, instrumental parts are dropped; BWV 27.6 has two sopranos.

Bach harmonized many hymn tunes several times. Such chorales share their melody, so training and test pieces with the
same tune leak: :attr:`Chorale.tune` is equal for the chorales of one tune. ::

    chorales = bach_chorales()
    rolls = [PianoRoll.from_score(chorale.score, pitches=COMPASS) for chorale in chorales.values()]
    split = split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=lambda roll: chorales[roll.name].tune)
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.datasets.music21_corpus import (
    CachedScore,
    Ticks,
    cached_file,
    from_first_note,
    import_music21,
    read_cache,
    write_cache,
)
from pianoroll_seq2seq.data.datasets.tune_groups import tune_groups
from pianoroll_seq2seq.errors import MidiError, SettingsError, ShapeError
from pianoroll_seq2seq.interop import score_from_music21
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.score import Score

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
"""The names of a chorale's parts, highest first."""

COMPASS = PitchRange(36, 81)
"""The pitches that the voices of all chorales need."""

_FORMAT = 3  # of the cache file: increment it when its content changes


@dataclass(frozen=True)
class Chorale:
    """One chorale.

    Args:
        name: its number in the catalogue of Bach's works, such as ``bwv269``; also the name of its score.
        title: the first words of the hymn.
        score: the notes of the voices, from the first note on. Tied notes are one note, notes without length
            (grace notes) are dropped, and repeats are written once. It has the time and key signatures.
        key: the key of the soprano's key signature, such as ``a minor`` or ``B- major`` (B flat); empty if it has
            none.
        time_signature: the first, such as ``4/4``.
        tune: the name of the first chorale with the same melody or title, of those that were read together.
        phrase_ends: the ticks at which the lines of the hymn end: where notes with a fermata end in the soprano, or in
            the highest voice that has any. Empty if the edition has no fermatas.
            :func:`~pianoroll_seq2seq.data.condition_sources.phrase_end_frames` converts them to frames.
    """

    name: str
    title: str
    score: Score
    key: str
    time_signature: str
    tune: str
    phrase_ends: tuple[int, ...] = ()


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
        >>> [tick // chorale.score.ticks_per_beat for tick in chorale.phrase_ends]  # in quarter notes
        [12, 21, 30, 42, 54, 63]
    """
    m21 = import_music21("Reading Bach's chorales")
    titles = _titles(m21)
    requested = set(titles if names is None else names)
    if unknown := requested - titles.keys():
        raise SettingsError(
            f"No chorale is named {', '.join(map(repr, sorted(unknown)))}. Names are like 'bwv269' or 'bwv153.1'; "
            f"bach_chorales() gives all {len(titles)}."
        )
    path = cached_file(cache_dir, f"bach_chorales-{_FORMAT}-music21-{m21.VERSION_STR}.json")
    chorales = _cached(path, list(titles))
    if chorales is None:
        chosen = [name for name in titles if name in requested]
        bar = tqdm(chosen, "parse", unit="chorale", disable=not progress)
        chorales = [_parse(name, titles[name], m21) for name in bar]
        if len(chosen) == len(titles):
            write_cache([_Cached.of(chorale) for chorale in chorales], path, "chorales")
    chorales = [chorale for chorale in chorales if chorale.name in requested]
    tunes = tune_groups(chorales)
    return {chorale.name: replace(chorale, tune=tunes[chorale.name]) for chorale in chorales}


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
    whole = score_from_music21(stream)
    score = from_first_note(whole, name)
    ends = _phrase_ends(voices, whole, m21)
    if len(voices) == len(VOICES):
        score = replace(score, parts=tuple(map(Part, VOICES)))
    return Chorale(name, title, score, str(key or ""), signatures.first().ratioString, "", tuple(ends))


def _phrase_ends(voices: Sequence[Any], score: Score, m21: Any) -> list[int]:
    """Where notes with a fermata end, in ticks from the first note on; of tied notes it is the end of the last."""
    sung = score.notes.where(score.notes.end_tick > score.notes.onset_tick)
    for voice, notes in zip(voices, sung.by_part(len(voices)), strict=True):
        ends = set()
        for note in voice.flatten().notesAndRests:
            if any(isinstance(mark, m21.expressions.Fermata) for mark in note.expressions):
                tick = int(Fraction(note.offset) * score.ticks_per_beat)
                begun = int(np.searchsorted(notes.onset_tick, tick, side="right"))
                ends |= set(notes.end_tick[max(begun - 1, 0) : begun].tolist())
        if ends:
            return sorted(end - int(sung.onset_tick[0]) for end in ends)
    return []


class _Cached(Struct, frozen=True, forbid_unknown_fields=True):
    """A chorale in the cached file."""

    title: str
    key: str
    time_signature: str
    phrase_ends: Ticks
    score: CachedScore

    @classmethod
    def of(cls, chorale: Chorale) -> "_Cached":
        ends = list(chorale.phrase_ends)
        return cls(chorale.title, chorale.key, chorale.time_signature, ends, CachedScore.of(chorale.score))

    def to_chorale(self) -> Chorale:
        score = self.score.to_score()
        return Chorale(score.name, self.title, score, self.key, self.time_signature, "", tuple(self.phrase_ends))


def _cached(path: Path, names: Sequence[str]) -> list[Chorale] | None:
    """The chorales of the cached file; None if there is no such file, or it is damaged."""
    pieces = read_cache(path, _Cached)
    try:
        chorales = [piece.to_chorale() for piece in pieces or ()]
    except (MidiError, ShapeError):
        return None
    return chorales if [chorale.name for chorale in chorales] == list(names) else None
