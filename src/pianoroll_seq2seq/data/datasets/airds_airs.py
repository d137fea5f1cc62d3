"""James Aird's *Selection of Scotch, English, Irish and Foreign Airs*: 1,180 dance tunes, Glasgow 1782 to 1803.

They are melodies of one voice for fife, violin or flute: reels, jigs, hornpipes, marches and minuets (public domain),
in the transcription by Jack Campin that comes with music21. Many are variants of others:
:attr:`Air.tune` is equal for the airs of one tune. ::

    airs = airds_airs()
    rolls = [PianoRoll.from_score(air.score, pitches=COMPASS) for air in airs.values()]
    split = split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=lambda roll: airs[roll.name].tune)
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.datasets.music21_corpus import (
    CachedScore,
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

MELODY = "Melody"
"""The name of the part."""

COMPASS = PitchRange(55, 89)
"""The pitches that all airs need."""

_FORMAT = 1  # of the cached file: increment it when its content changes


@dataclass(frozen=True)
class Air:
    """One air.

    Args:
        name: its number in the transcription, such as ``aird-0001``; also the name of its score.
        title: its title, as it was printed.
        score: the notes, from the first on, as one part. Of notes that begin together the highest is kept; notes
            without length (grace notes) are dropped, and repeats are written once. Of the few airs in several voices
            it is the first. It has the time and key signatures, and the tempo that the transcriber suggests.
        key: the key, such as ``G major``, ``e minor`` or ``A mixolydian``.
        time_signature: the first, such as ``6/8``. In six airs the transcription does not fill its bars, as that in 2/4
            that has ``1/4`` here; their bar lines are unreliable.
        tune: the name of the first air with the same melody or title, of those that were read together.
    """

    name: str
    title: str
    score: Score
    key: str
    time_signature: str
    tune: str


def airds_airs(
    names: Iterable[str] | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> dict[str, Air]:
    """The airs by name, in the order of the six volumes (extra ``datasets``).

    Parsing all of them takes music21 some minutes, so the result is cached in a file (3 MB).

    Args:
        names: only these, such as ``["aird-0001", "aird-1180"]``; they are parsed if there is no cached file.
        cache_dir: the folder of the cached file; the user's cache folder by default.
        progress: whether to show a progress bar while parsing.

    Raises:
        SettingsError: an unknown name.
        MissingExtraError: music21 or pooch is not installed.

    Example:
        >>> air = airds_airs(["aird-0004"], progress=False)["aird-0004"]
        >>> air.title, air.key, air.time_signature
        ("I'll Touzle your Kurchy.", 'e minor', '6/8')
    """
    m21 = import_music21("Reading Aird's airs")
    texts = _texts(m21)
    requested = set(texts if names is None else names)
    if unknown := requested - texts.keys():
        raise SettingsError(
            f"No air is named {', '.join(map(repr, sorted(unknown)))}. Names are 'aird-0001' to 'aird-{len(texts)}'."
        )
    path = cached_file(cache_dir, f"airds_airs-{_FORMAT}-music21-{m21.VERSION_STR}.json")
    airs = _cached(path, list(texts))
    if airs is None:
        chosen = [name for name in texts if name in requested]
        airs = [_parse(name, texts[name], m21) for name in tqdm(chosen, "parse", unit="air", disable=not progress)]
        if len(chosen) == len(texts):
            write_cache([_Cached.of(air) for air in airs], path, "airs")
    airs = [air for air in airs if air.name in requested]
    tunes = tune_groups(airs)
    return {air.name: replace(air, tune=tunes[air.name]) for air in airs}


def _texts(m21: Any) -> dict[str, str]:
    """The ABC notation of each air by its name, in order."""
    folder = Path(m21.common.getCorpusFilePath()) / "airdsAirs"
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("book*.abc")):
        for text in re.split(r"(?m)^(?=X:)", path.read_text(encoding="utf-8"))[1:]:
            number = re.match(r"X:\s*(\d+)", text)
            assert number is not None, path
            texts[f"aird-{int(number[1]):04}"] = _first_voice(text)
    return texts


def _first_voice(text: str) -> str:
    """The notation without other voices than the first, which music21 would read as one after the other."""
    lines = [line for line in text.splitlines() if not re.match(r"V:|\[V:[^1]", line)]
    return "\n".join(line.removeprefix("[V:1]") for line in lines)


def _parse(name: str, text: str, m21: Any) -> Air:
    """One air, without its tune."""
    stream = m21.converter.parseData(text, format="abc")
    key = stream.flatten().getElementsByClass(m21.key.Key).first()
    score = _highest(from_first_note(score_from_music21(stream), name))
    times = score.meter.time_signatures
    return Air(name, stream.metadata.title or "", score, str(key or ""), str(times[0]) if times else "", "")


def _highest(score: Score) -> Score:
    """The highest of the notes that begin together, as one part."""
    notes = score.notes
    last = np.append(notes.onset_tick[1:] != notes.onset_tick[:-1], True)  # sorted by onset, then by pitch
    return replace(score, notes=notes.where(last), parts=(Part(MELODY),))


class _Cached(Struct, frozen=True, forbid_unknown_fields=True):
    """An air in the cached file."""

    title: str
    key: str
    time_signature: str
    score: CachedScore

    @classmethod
    def of(cls, air: Air) -> "_Cached":
        return cls(air.title, air.key, air.time_signature, CachedScore.of(air.score))

    def to_air(self) -> Air:
        score = self.score.to_score()
        return Air(score.name, self.title, score, self.key, self.time_signature, "")


def _cached(path: Path, names: Sequence[str]) -> list[Air] | None:
    """The airs of the cached file; None if there is no such file, or it is damaged."""
    pieces = read_cache(path, _Cached)
    try:
        airs = [piece.to_air() for piece in pieces or ()]
    except (MidiError, ShapeError):
        return None
    return airs if [air.name for air in airs] == list(names) else None
