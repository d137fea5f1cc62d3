"""Pictures of several voices."""

import io
import itertools
import warnings

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from plot_contents import Bar, bars, brightness, legend, onsets, some_roll

from pianoroll_seq2seq import NoteTable, Part, PianoRoll, PitchRange, Score, SecondsGrid, TempoMap
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.display.palette import VOICES
from pianoroll_seq2seq.display.plot import plot_voices
from pianoroll_seq2seq.errors import SettingsError

_PITCHES = PitchRange(60, 71)


def _roll(*notes: tuple[int, int, int], frames: int = 16) -> PianoRoll:
    """Notes as first frame, frame after the last, pitch."""
    active = np.zeros((frames, len(_PITCHES)), dtype=bool)
    for begin, end, pitch in notes:
        active[begin:end, pitch - _PITCHES.lowest] = True
    return PianoRoll.from_active(active, pitches=_PITCHES)


def _by_colour(several: list[Bar]) -> dict[str, list[tuple[float, float, float]]]:
    voices: dict[str, list[tuple[float, float, float]]] = {}
    for bar in several:
        voices.setdefault(bar.colour, []).append((bar.start, bar.end, bar.pitch))
    return voices


def test_each_voice_has_its_notes_and_its_name() -> None:
    """Notes are drawn as another voice's, or the legend is wrong."""
    ax = plot_voices({"melody": _roll((0, 4, 67), (4, 8, 69)), "chords": _roll((0, 8, 60), (0, 8, 64))})
    assert legend(ax) == ["melody", "chords"]
    melody, chords = (to_hex(key.get_facecolor()) for key in ax.get_legend().get_patches())
    assert _by_colour(bars(ax)) == {melody: [(0, 1, 67), (1, 2, 69)], chords: [(0, 2, 60), (0, 2, 64)]}
    assert onsets(ax) == [(0, 60), (0, 64), (0, 67), (1, 69)]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xlim()) == ("beats", "pitch", (0, 4))


def test_voices_differ_without_colour() -> None:
    """Two voices look the same in a grey print."""
    for (one, hatch), (other, another) in itertools.combinations(VOICES, 2):
        assert hatch != another or abs(brightness(one) - brightness(other)) > 50
    ax = plot_voices({str(voice): _roll((voice, voice + 4, 60 + voice)) for voice in range(7)})
    keys = ax.get_legend().get_patches()
    assert [key.get_hatch() or "" for key in keys] == [hatch for _, hatch in VOICES]
    drawn = {bar.pitch - 60: bar.hatched for bar in bars(ax)}
    assert drawn == {voice: bool(hatch) for voice, (_, hatch) in enumerate(VOICES)}


def test_a_voice_under_another_is_seen() -> None:
    """Where two voices sing in unison, only one seems to."""
    ax = plot_voices(
        {"a": _roll((0, 8, 60)), "b": _roll((4, 12, 60), (4, 12, 62)), "c": _roll((6, 8, 60), (8, 12, 60))}
    )
    lower, upper, apart, third = bars(ax)
    assert (lower.pitch, upper.pitch, apart.pitch, third.pitch) == (60, 60, 62, 60)
    assert lower.height == apart.height > upper.height > third.height


def test_voices_one_after_another_are_of_one_height() -> None:
    """A note seems to lie on the one that ends where it begins."""
    ax = plot_voices({"a": _roll((0, 4, 60), (8, 12, 60)), "b": _roll((4, 8, 60), (0, 12, 61))})
    assert len({round(bar.height, 9) for bar in bars(ax)}) == 1


def _score() -> Score:
    """A flute on C5, a piano on C4 and E4 with no name, drums, and a part that never plays."""
    parts = (Part("flute", program=73), Part("", program=0), Part("kit", drums=True), Part("empty"))
    notes = NoteTable([0, 0, 480, 960], [480, 960, 960, 1440], [72, 60, 64, 38], [80] * 4, [0, 1, 1, 2])
    return Score(notes, TempoMap(480), parts)


def test_the_parts_of_a_score_are_voices() -> None:
    """A file's tracks cannot be seen apart, or nameless ones have no name in the picture."""
    ax = plot_voices(_score())
    assert legend(ax) == ["flute", "Acoustic Grand Piano"]
    assert list(_by_colour(bars(ax)).values()) == [[(0, 1, 72)], [(0, 2, 60), (1, 2, 64)]]
    assert ax.get_xlabel() == "beats"
    assert plot_voices(_score(), time="seconds").get_xlabel() == "seconds"


def test_drums_are_an_optional_voice() -> None:
    """The drum kit's instruments stand among the pitches, or cannot be seen at all."""
    assert legend(plot_voices(_score(), drums=True)) == ["flute", "Acoustic Grand Piano", "kit"]


def test_parts_of_one_name_are_numbered() -> None:
    """Of two tracks called "Violin" one is lost."""
    parts = (Part("Violin"), Part("Viola"), Part("Violin"))
    score = Score(NoteTable([0] * 3, [480] * 3, [60, 62, 64], [80] * 3, [0, 1, 2]), TempoMap(480), parts)
    assert legend(plot_voices(score)) == ["Violin", "Viola", "Violin 2"]


def test_voices_share_one_unit() -> None:
    """A roll in seconds is drawn over one in beats as if the two were one."""
    in_seconds = some_roll(SecondsGrid(0.25))
    ax = plot_voices({"a": _roll((0, 4, 60)), "b": in_seconds})
    assert ax.get_xlabel() == "beats"
    assert ax.get_xlim() == (0, 8)  # four seconds, at two beats a second


def test_draws_into_given_axes() -> None:
    """A figure of several panels cannot be made: the picture lands in a figure of its own."""
    _, ax = pyplot.subplots()
    before = pyplot.get_fignums()
    assert plot_voices({"a": _roll((0, 4, 60))}, ax=ax) is ax
    assert pyplot.get_fignums() == before


def test_silent_voices_can_be_drawn() -> None:
    """A model that has learned to let one voice rest cannot be shown."""
    ax = plot_voices({"a": _roll(), "b": _roll(frames=0)})
    assert legend(ax) == ["a", "b"]
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("nothing", [{}, Score(NoteTable.empty(), TempoMap(480), ())], ids=["mapping", "score"])
def test_no_voices_are_refused(nothing: Score | dict[str, PianoRoll]) -> None:
    """An empty picture stands where the music should."""
    with pytest.raises(SettingsError, match="needs at least one voice"):
        plot_voices(nothing)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", ["$x^$", "a$b$c", "\udce9t\udce9", "\x1b[31mred\n", "_hidden", "x" * 500])
def test_any_name_of_a_part_is_drawn(name: str) -> None:
    """A pair of dollar signs is read as mathematics, and its errors end the drawing; long names leave no room."""
    ax = plot_voices({name: _roll((0, 4, 60)), "other": _roll((0, 4, 61))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.savefig(io.BytesIO())
    shown, other = legend(ax)
    assert other == "other"
    assert shown.replace("\\$", "$")[:3] in (name[:3], printable(name)[:3])
    assert len(shown) < 50


def test_the_legend_of_many_parts_leaves_room_for_the_music() -> None:
    """300 parts have a legend that is larger than the picture, and there is no music in it."""
    ax = plot_voices({f"part {index}": _roll((0, 4, 60)) for index in range(40)})
    assert legend(ax) == [f"part {index}" for index in range(15)] + ["25 more"]


def test_no_part_is_lost_to_the_number_of_another() -> None:
    parts = (Part("a"), Part("a"), Part("a 2"), Part("a (2)"))
    score = Score(NoteTable([0] * 4, [480] * 4, [60, 62, 64, 66], [80] * 4, range(4)), TempoMap(480), parts)
    ax = plot_voices(score)
    assert len(set(legend(ax))) == len(bars(ax)) == 4
