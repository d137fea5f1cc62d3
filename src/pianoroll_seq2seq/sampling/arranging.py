"""What people ask of a model that fills: harmonize a melody, accompany some parts, rewrite some bars, vary them."""

from collections.abc import Iterable
from typing import Literal, Unpack

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import Given, Mask, bars_of
from pianoroll_seq2seq.models.contract import FillingModel, require_filling
from pianoroll_seq2seq.parts import listed
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.filling import FillOptions, fill
from pianoroll_seq2seq.sampling.melodies import melody_part, with_melody, with_missing_parts


def harmonize(
    model: FillingModel,
    melody: PianoRoll,
    *,
    part: str | None = None,
    octaves: int | Literal["auto"] = 0,
    chords: Literal["error", "highest"] = "error",
    **options: Unpack[FillOptions],
) -> PianoRoll:
    """Writes the other parts to a melody: :func:`fill` with one part given.

    Args:
        model: a model of several parts that fills, such as
            :class:`~pianoroll_seq2seq.models.filling_lstm.FillingLSTM`.
        melody: a roll of one part, of any name, on the model's grid.
        part: the part of the model that the melody is; by default the first one that is no drums.
        octaves: how many octaves higher the melody is placed, or lower below 0. ``"auto"`` takes the fewest with which
            all notes are in the range of the part, and warns if it is not 0.
        chords: what to do where the melody has several notes at once and the model's parts have one: raise an error, or
            keep the highest note.
        **options: ``sampler``, ``seed``, ``condition``, ``ends``, ``progress`` and ``layout``, as for :func:`fill`.

    Returns:
        All parts of the model. The melody is as it was, in the part of the model; name, tempo and meter are its own.

    Warns:
        UserWarning: ``octaves="auto"`` has moved the melody.

    Raises:
        SettingsError: a model that does not fill, of one part, or without the part; a melody of several parts; or
            several notes at once where the model takes one.
        GridError: a melody on another grid.
        PitchRangeError: notes outside the range of the part.

    Example:
        >>> from pianoroll_seq2seq import FillingLSTM, FrameLayout, MonophonicHead, Part, PitchRange
        >>> parts = (Part("melody", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(40, 59)))
        >>> model = FillingLSTM(FrameLayout(parts=parts), hidden_size=8, encoder_size=4, head=MonophonicHead)
        >>> tune = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> song = harmonize(model, tune, seed=1)
        >>> song.part_names, song["melody"] == tune
        (('melody', 'bass'), True)
    """
    require_filling(model)
    chosen, layout = melody_part(model, options.get("layout"), part)
    roll = with_melody(model, melody, chosen, layout, octaves=octaves, chords=chords)
    return fill(model, roll, Given.parts(chosen.name), **options)


def accompany(
    model: FillingModel,
    roll: PianoRoll,
    *,
    parts: str | Iterable[str] | None = None,
    **options: Unpack[FillOptions],
) -> PianoRoll:
    """Writes some parts to the others: :func:`fill` with the others given.

    Args:
        model: a model that fills.
        roll: the piece. Parts of the model that it lacks are written.
        parts: the names of the parts to write; by default those without notes.
        **options: ``sampler``, ``seed``, ``condition``, ``ends``, ``progress`` and ``layout``, as for :func:`fill`.

    Returns:
        All parts of the model.

    Raises:
        SettingsError: a model that does not fill, no part of a name, or no parts to write.
        GridError, PitchRangeError: a roll on another grid, or of other parts or pitches than the model's.

    Example:
        >>> from pianoroll_seq2seq import FillingLSTM, FrameLayout, MonophonicHead, Part, PitchRange
        >>> duet = (Part("melody", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(40, 59)))
        >>> model = FillingLSTM(FrameLayout(parts=duet), hidden_size=8, encoder_size=4, head=MonophonicHead)
        >>> bass = PianoRoll.silent(8, parts=duet)[["bass"]]
        >>> accompany(model, bass, parts="melody", seed=1).part_names
        ('melody', 'bass')
    """
    require_filling(model)
    roll = with_missing_parts(model, roll, options.get("layout"))
    silent = tuple(name for name in roll.part_names if not roll.active[:, roll.columns(name)].any())
    names = silent if parts is None else _names(parts)
    if not names:
        raise SettingsError(
            f"All parts have notes: {listed(roll.part_names)}. Name those to write, such as "
            f"parts=({roll.part_names[-1]!r},)."
        )
    return fill(model, roll, ~Given.parts(*names), **options)


def infill(
    model: FillingModel,
    roll: PianoRoll,
    bars: int | tuple[int, int],
    *,
    parts: str | Iterable[str] | None = None,
    **options: Unpack[FillOptions],
) -> PianoRoll:
    """Writes some bars anew: :func:`fill` with all others given.

    Args:
        model: a model that fills.
        roll: the piece. What it has in these bars is not read.
        bars: the first and the last bar, or the only one, numbered as in a score: from 1; an upbeat is bar 0.
        parts: the names of the parts to write there; all by default.
        **options: ``sampler``, ``seed``, ``condition``, ``ends``, ``progress`` and ``layout``, as for :func:`fill`.

    Raises:
        SettingsError: a model that does not fill, or bars or parts that the roll does not have.
        GridError, PitchRangeError: a roll on another grid, or of other parts or pitches than the model's.
    """
    require_filling(model)
    return fill(model, roll, ~_stretch(bars, parts), **options)


def vary(
    model: FillingModel,
    roll: PianoRoll,
    bars: int | tuple[int, int] | None = None,
    *,
    parts: str | Iterable[str] | None = None,
    keep: float = 0.5,
    **options: Unpack[FillOptions],
) -> PianoRoll:
    """Writes a variation: :func:`fill` with some beats of each part given, which the seed chooses.

    Args:
        model: a model that fills.
        roll: the piece.
        bars: the first and the last bar to vary, or the only one, numbered as in a score; all by default.
        parts: the names of the parts to vary; all by default.
        keep: the probability that a beat of a part is kept, 0 <= keep < 1.
        **options: ``sampler``, ``seed``, ``condition``, ``ends``, ``progress`` and ``layout``, as for :func:`fill`. The
            seed chooses the beats that are kept, too.

    Raises:
        SettingsError: a model that does not fill, bars or parts that the roll does not have, or ``keep`` out of range.
        GridError, PitchRangeError: a roll on another grid, or of other parts or pitches than the model's.
    """
    require_filling(model)
    given = given_to_vary(roll, bars, parts=parts, keep=keep, seed=options.get("seed", 0))
    return fill(model, roll, given, **options)


def given_to_vary(
    roll: PianoRoll,
    bars: int | tuple[int, int] | None = None,
    *,
    parts: str | Iterable[str] | None = None,
    keep: float = 0.5,
    seed: int = 0,
) -> Given:
    """What :func:`vary` takes as given: all outside of the bars and parts, and some beats of each part inside them.

    Args:
        roll: the piece.
        bars: the first and the last bar to vary, or the only one; all by default.
        parts: the names of the parts to vary; all by default.
        keep: the probability that a beat of a part is kept, 0 <= keep < 1.
        seed: chooses the beats that are kept.

    Raises:
        SettingsError: ``keep`` out of range.

    Example:
        >>> roll = PianoRoll.silent(64)
        >>> int(given_to_vary(roll, (2, 3), keep=0.5, seed=1).mask(roll).sum())
        40
    """
    if not 0 <= keep < 1:
        raise SettingsError(f"keep must be at least 0 and below 1, got {keep!r}.")
    return ~_stretch(bars, parts) | Given.cells(_kept_beats(roll, keep, seed))


def _names(parts: str | Iterable[str]) -> tuple[str, ...]:
    """The names of parts, from one name or several."""
    return (parts,) if isinstance(parts, str) else tuple(parts)


def _stretch(bars: int | tuple[int, int] | None, parts: str | Iterable[str] | None) -> Given:
    """Some bars of some parts; all by default."""
    stretch = ~Given.nothing() if bars is None else bars_of(bars)
    return stretch if parts is None else stretch & Given.parts(*_names(parts))


def _kept_beats(roll: PianoRoll, keep: float, seed: int) -> Mask:
    """The beats of each part that a variation keeps."""
    lines = np.union1d(roll.beat_frames(), [0])
    generator = np.random.default_rng(np.random.SeedSequence(int(seed) % 2**64, spawn_key=(0, 1)))
    kept = generator.random((len(lines), len(roll.parts))) < keep
    return np.repeat(kept, np.diff(lines, append=len(roll)), axis=0) if len(roll) else kept[:0]
