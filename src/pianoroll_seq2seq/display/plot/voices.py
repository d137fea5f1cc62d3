"""Several voices in one piano roll."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.display.palette import VOICES, on_ground, shaded
from pianoroll_seq2seq.display.plot.figures import label_of, new_axes
from pianoroll_seq2seq.display.plot.note_artists import BAR_HEIGHT, add_bars, add_onsets
from pianoroll_seq2seq.display.plot.note_intervals import NoteIntervals, roll_intervals, score_intervals
from pianoroll_seq2seq.display.plot.roll_axes import set_roll_axes
from pianoroll_seq2seq.display.plot.times import TimeUnit
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.part_selection import distinct_names
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OVERLAP_SCALE = 0.6  # height of a bar over another, relative to that one
_LEGEND_COLUMNS = 4
_MOST_KEYS = 16


def plot_voices(
    voices: Mapping[str, PianoRoll] | Score,
    *,
    time: TimeUnit | None = None,
    drums: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws several voices into one piano roll, each in its own colour and hatch, with a legend above.

    If two voices have the same pitch at the same time, the later voice has a narrower bar on top of the other.

    Args:
        voices: rolls by name, such as ``{"melody": ..., "chords": ...}``; or a score, each of whose parts with notes
            is a voice, named after its track or its instrument.
        time: ``"beats"`` or ``"seconds"``; by default as for :func:`~pianoroll_seq2seq.display.plot.plot_roll`, with
            the unit of the first roll for all.
        drums: whether the drum notes of a score are drawn.
        ax: the axes to draw into; a new figure by default.

    Raises:
        SettingsError: no voices, or another ``time``.
        MissingExtraError: matplotlib is not installed.
    """
    several = _score_voices(voices, time, drums=drums) if isinstance(voices, Score) else _roll_voices(voices, time)
    if not several:
        raise SettingsError("plot_voices needs at least one voice: rolls by name, or a score with notes.")
    ax = ax if ax is not None else new_axes(width=11)
    draw_voices(ax, several)
    return ax


def draw_voices(ax: "Axes", several: Mapping[str, NoteIntervals]) -> None:
    """Draws voices into axes, with a legend. Softer notes are paler if velocities differ."""
    from matplotlib.patches import Patch

    set_roll_axes(ax, *several.values())
    keys: list[Patch] = []
    earlier: list[NoteIntervals] = []
    for index, (name, notes) in enumerate(several.items()):
        colour, hatch = VOICES[index % len(VOICES)]
        colour = on_ground(colour)
        height = BAR_HEIGHT * _OVERLAP_SCALE ** _overlap_counts(notes, earlier)
        colours = colour if notes.velocity is None else shaded(colour, notes.velocity)
        add_bars(ax, notes, height=height, facecolors=colours, hatch=hatch)
        add_onsets(ax, notes, height=height)
        if len(keys) < _MOST_KEYS:
            keys.append(Patch(facecolor=colour, edgecolor="white", hatch=hatch or None, label=label_of(name)))
        earlier.append(notes)
    if len(several) > _MOST_KEYS:
        keys[-1:] = [Patch(visible=False, label=f"{len(several) - _MOST_KEYS + 1} more")]
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=_LEGEND_COLUMNS, frameon=False)


def part_intervals(roll: PianoRoll, time: TimeUnit | None) -> dict[str, NoteIntervals]:
    """The notes of each part of a roll."""
    notes = roll.notes().part
    whole = roll_intervals(roll, time)
    return {name: whole.where(notes == index) for index, name in enumerate(roll.part_names)}


def _roll_voices(voices: Mapping[str, PianoRoll], time: TimeUnit | None) -> dict[str, NoteIntervals]:
    several: dict[str, NoteIntervals] = {}
    for name, roll in voices.items():
        several[name] = roll_intervals(roll, time)
        time = several[name].unit
    return several


def _score_voices(score: Score, time: TimeUnit | None, *, drums: bool) -> dict[str, NoteIntervals]:
    """The notes of each part that has any."""
    whole = score_intervals(score, time)
    counts = np.bincount(score.notes.part, minlength=len(score.parts))
    sounding = [(index, part) for index, part in enumerate(score.parts) if counts[index] and (drums or not part.drums)]
    names = distinct_names([_name(part, index) for index, part in sounding])
    return {name: whole.where(score.notes.part == index) for name, (index, _) in zip(names, sounding, strict=True)}


def _name(part: Part, index: int) -> str:
    import pretty_midi

    instrument = "drums" if part.drums else pretty_midi.program_to_instrument_name(part.program)
    return part.name or instrument or f"part {index + 1}"


def _overlap_counts(notes: NoteIntervals, earlier: list[NoteIntervals]) -> Int64[np.ndarray, " notes"]:
    """The number of earlier voices that overlap each note in pitch and time.

    A voice overlaps if more of its notes of that pitch begin before the note's end than end before its start. Times are
    offset by pitch, so that one sorted search covers all pitches.
    """
    span = 1 + max((float(voice.end.max(initial=0)) for voice in (notes, *earlier)), default=0)
    counts = np.zeros(len(notes), dtype=np.int64)
    for voice in earlier:
        starts, ends = (np.sort(voice.pitch * span + times) for times in (voice.start, voice.end))
        begun = np.searchsorted(starts, notes.pitch * span + notes.end, side="left")
        over = np.searchsorted(ends, notes.pitch * span + notes.start, side="right")
        counts += begun > over
    return counts
