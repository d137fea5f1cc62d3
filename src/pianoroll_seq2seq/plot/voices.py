"""Several voices in one piano roll."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.plot.figures import new_axes
from pianoroll_seq2seq.plot.frame import set_frame
from pianoroll_seq2seq.plot.notes import BAR, Notes, add_bars, add_onsets, notes_of_roll, notes_of_score
from pianoroll_seq2seq.plot.palette import VOICES
from pianoroll_seq2seq.plot.times import TimeUnit
from pianoroll_seq2seq.score import Part, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROWER = 0.6  # a bar that lies on another's, beside that one
_LEGEND_COLUMNS = 4


def plot_voices(
    voices: Mapping[str, PianoRoll] | Score,
    *,
    time: TimeUnit | None = None,
    drums: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws several voices into one piano roll, each in a colour and a hatch of its own, with their names above.

    Where two voices sound one pitch at the same time, the later one's bar is narrower and lies on the other's.

    Args:
        voices: rolls by name, such as ``{"melody": ..., "chords": ...}``; or a score, each of whose parts with notes
            is a voice, named by its track or else its instrument.
        time: ``"beats"`` or ``"seconds"``; by default as of :func:`~pianoroll_seq2seq.plot.plot_roll`, for several
            rolls as of the first.
        drums: whether the drum kit of a score counts as pitches.
        ax: where to draw; a new figure by default.

    Raises:
        SettingsError: no voices, or another ``time``.
        MissingExtraError: matplotlib is not installed.
    """
    several = _of_score(voices, time, drums=drums) if isinstance(voices, Score) else _of_rolls(voices, time)
    if not several:
        raise SettingsError("plot_voices needs a voice at least: a roll by its name, or a score with notes.")
    ax = ax if ax is not None else new_axes(width=11)
    from matplotlib.patches import Patch

    set_frame(ax, *several.values())
    keys: list[Patch] = []
    before: list[Notes] = []
    for index, (name, notes) in enumerate(several.items()):
        colour, hatch = VOICES[index % len(VOICES)]
        height = BAR * _NARROWER ** _covered(notes, before)
        add_bars(ax, notes, height=height, facecolors=colour, hatch=hatch)
        add_onsets(ax, notes, height=height)
        keys.append(Patch(facecolor=colour, edgecolor="white", hatch=hatch or None, label=name))
        before.append(notes)
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=_LEGEND_COLUMNS, frameon=False)
    return ax


def _of_rolls(voices: Mapping[str, PianoRoll], time: TimeUnit | None) -> dict[str, Notes]:
    several: dict[str, Notes] = {}
    for name, roll in voices.items():
        several[name] = notes_of_roll(roll, time)
        time = several[name].unit
    return several


def _of_score(score: Score, time: TimeUnit | None, *, drums: bool) -> dict[str, Notes]:
    """The notes of each part that has any."""
    whole = notes_of_score(score, time)
    sounding = [
        (index, part)
        for index, part in enumerate(score.parts)
        if (drums or not part.drums) and (score.notes.part == index).any()
    ]
    names = _distinct([_name(part, index) for index, part in sounding])
    return {name: whole.where(score.notes.part == index) for name, (index, _) in zip(names, sounding, strict=True)}


def _name(part: Part, index: int) -> str:
    import pretty_midi

    instrument = "drums" if part.drums else pretty_midi.program_to_instrument_name(part.program)
    return part.name or instrument or f"part {index + 1}"


def _distinct(names: list[str]) -> list[str]:
    """The names, with numbers behind those that stand several times."""
    counts, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return numbered


def _covered(notes: Notes, before: list[Notes]) -> Int64[np.ndarray, " notes"]:
    """On how many of the earlier voices each note lies: how many have a note of its pitch that overlaps it in time.

    Those that begin before its end, less those that end before its start, pitch by pitch: all times of a pitch come
    before all of the next one.
    """
    span = 1 + max((float(voice.end.max(initial=0)) for voice in (notes, *before)), default=0)
    covered = np.zeros(len(notes), dtype=np.int64)
    for voice in before:
        starts, ends = (np.sort(voice.pitch * span + times) for times in (voice.start, voice.end))
        begun = np.searchsorted(starts, notes.pitch * span + notes.end, side="left")
        over = np.searchsorted(ends, notes.pitch * span + notes.start, side="right")
        covered += begun > over
    return covered
