"""Scores for the tests of MusicXML: what notation has to express, and any score on a grid."""

from functools import partial

from hypothesis import strategies as st
from strategies import TEMPI, _built, note_table

from pianoroll_seq2seq import KeySignature, Meter, Part, Score, TempoMap, TimeSignature

_SCALE = [(480 * beat, 480 * (beat + 1), 60 + beat, 80 + beat, 0) for beat in range(12)]


def _score(rows, *, times=(), keys=(), parts=(Part("tune"),), ticks=480, tempi=((0, 500_000),), end=None) -> Score:
    meter = Meter([TimeSignature(*one) for one in times], [KeySignature(*one) for one in keys])
    return Score(note_table(rows), TempoMap(ticks, tempi), tuple(parts), "song", end, meter)


SCORES = {
    "plain": _score(_SCALE),
    "nameless": _score(_SCALE, parts=[Part()]),
    "upbeat": _score(_SCALE, times=[(0, 3, 4), (480, 3, 4)]),
    "bars of three": _score(_SCALE, times=[(0, 3, 4)], keys=[(0, 2, True)]),
    "bars of six eighths": _score(
        [(720 * beat, 720 * beat + 480 + 240 * (beat % 2), 60, 90, 0) for beat in range(8)], times=[(0, 6, 8)]
    ),
    "bars of five eighths": _score(_SCALE, times=[(0, 5, 8)], end=9600),
    "bars of fractions of ticks": _score(
        [(beat, beat + 1, 60, 90, 0) for beat in range(9)], times=[(0, 3, 16)], ticks=1, end=11
    ),
    "changes": _score(
        _SCALE,
        times=[(0, 3, 4), (1440, 4, 4), (2400, 2, 4), (3360, 2, 4), (3840, 7, 8)],
        keys=[(0, 1, False), (720, -5, True), (3360, 7, False), (4800, -7, False)],
        tempi=[(0, 600_000), (240, 444_444), (1440, 16_777_215), (1680, 1), (4801, 333_333)],
    ),
    "four fours repeated": _score(_SCALE, times=[(0, 4, 4), (1920, 4, 4), (2400, 4, 4)]),
    "signature later": _score(_SCALE, times=[(480, 4, 4)], keys=[(481, 3, False)]),
    "signature between grid lines": _score([*_SCALE, (0, 5760, 40, 60, 0)], times=[(0, 4, 4), (1921, 3, 8)], ticks=480),
    "triplets": _score(
        [(160 * third, 160 * (third + 1 + third % 3), 50 + third, 64, 0) for third in range(20)], times=[(0, 4, 4)]
    ),
    "twelfths": _score(
        [(40 * at, 40 * (at + long), 48 + at % 24 + long, 1 + at, 0) for at in range(0, 120, 7) for long in (1, 5, 7)]
    ),
    "fifths and sevenths": _score(
        [(at, at + long, 60, 90, 0) for at, long in ((0, 84), (84, 336), (420, 60), (480, 60), (600, 600))], ticks=420
    ),
    "voices": _score(
        [
            (0, 1920, 48, 90, 0),
            (0, 960, 60, 70, 0),
            (480, 1440, 64, 60, 0),
            (480, 2400, 48, 50, 0),
            (960, 961, 67, 40, 0),
        ]
    ),
    "the same note twice": _score([(0, 960, 60, 90, 0), (0, 960, 60, 40, 0), (480, 960, 60, 70, 0)]),
    "repeated notes over bars": _score([(0, 1920, 60, 90, 0), (1920, 3840, 60, 80, 0), (3840, 9600, 60, 70, 0)]),
    "chords": _score([(0, 480, pitch, 10 * pitch % 127 + 1, 0) for pitch in (0, 1, 11, 59, 60, 61, 126, 127)]),
    "long notes": _score([(120, 20_000, 60, 127, 0), (1200, 19_200, 72, 1, 0)], times=[(0, 3, 4)]),
    "no length": _score(
        [
            (0, 0, 60, 90, 0),
            (240, 240, 62, 80, 0),
            (240, 240, 65, 80, 0),
            (240, 480, 64, 80, 0),
            (1920, 1920, 60, 70, 0),
        ]
    ),
    "silence": _score([(4800, 4920, 60, 90, 0)], times=[(0, 4, 4)], end=19_203),
    "drums": _score(
        [(0, 480, 72, 101, 0), *((240 * at, 240 * at + 120, 36 + at, 30 + at, 1) for at in range(12))],
        parts=[Part("Flute", 73), Part("Kit", 0, drums=True)],
    ),
    "drums alone": _score([(0, 1, 127, 1, 0), (0, 2, 0, 2, 0)], parts=[Part("Kit", 8, True)], keys=[(0, -1)], ticks=24),
    "empty parts": _score([(0, 480, 60, 90, 1)], parts=[Part("a", 1), Part("a", 2), Part("", 3), Part("kit", 0, True)]),
    "many parts": _score(
        [(120 * part, 120 * part + 960, 30 + part, 1 + part, part) for part in range(40)],
        parts=[Part(f"part {part}", part, part % 5 == 0) for part in range(40)],
    ),
}
"""Each has something that was once lost, or that notation programs treat in their own way."""

_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)


@st.composite
def notated_scores(draw) -> Score:
    """Any score of which all times are lines of a grid, with what stands after its end left out."""
    ticks, per_beat = draw(
        st.sampled_from([(480, 4), (480, 3), (960, 12), (96, 6), (220, 4), (24, 8), (1, 1), (32_760, 24), (420, 7)])
    )
    lines = st.integers(0, 8 * per_beat).map(lambda line: line * (ticks // per_beat))
    parts = draw(st.lists(st.builds(Part, _NAMES, st.integers(0, 127), st.booleans()), min_size=1, max_size=4))
    notes = st.tuples(
        st.tuples(lines, lines).map(sorted),
        st.sampled_from([0, 59, 60, 61, 127]),
        st.integers(1, 127),
        st.integers(0, len(parts) - 1),
    )
    rows = [(*span, *rest) for span, *rest in draw(st.lists(notes, max_size=12))]
    end = draw(st.none() | lines)
    last = max([span_end for _, span_end, *_ in rows] + [end or 0])
    before = lines.filter(lambda tick: tick == 0 or tick < last)
    denominators, fifths = st.sampled_from([1, 2, 4, 8, 16]), st.integers(-7, 7)
    times = draw(st.lists(st.builds(TimeSignature, before, st.integers(1, 12), denominators), max_size=4))
    keys = draw(st.lists(st.builds(KeySignature, before, fifths, st.booleans()), max_size=3))
    tempi = draw(st.lists(st.tuples(before, TEMPI), max_size=4))
    return _built(
        partial(Score, _built(note_table, rows), TempoMap(ticks, tempi), tuple(parts), "song", end, Meter(times, keys))
    )
