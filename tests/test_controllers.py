"""Tables of controllers: if these fail, a pedal acts on another part, or at another time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import controllers_of_rows

from pianoroll_seq2seq.controllers import CHANNEL_PRESSURE, CONTROL_CHANGE, KEY_PRESSURE, PITCH_BEND, Controllers
from pianoroll_seq2seq.errors import MidiError, ShapeError
from pianoroll_seq2seq.tempo import MAX_TICK

COLUMNS = ("tick", "part", "kind", "number", "value")
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.just(CONTROL_CHANGE), st.integers(0, 127), st.integers(0, 127)),
    max_size=20,
)


def rows_of(controllers: Controllers) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(controllers, name).tolist() for name in COLUMNS), strict=True))


@given(ROWS)
def test_controllers_keep_their_order_on_a_tick(rows):
    """The range of a pitch bend is set by four controllers in a row: in another order it would set something else."""
    assert rows_of(controllers_of_rows(rows)) == sorted(rows, key=lambda row: row[:2])


@given(ROWS, st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True))
def test_parts_take_their_controllers_along(rows, parts):
    """A melody would be played with the pedal of the piano."""
    table = controllers_of_rows(rows)
    chosen = [(tick, parts.index(part), *rest) for tick, part, *rest in rows_of(table) if part in parts]
    assert rows_of(table.select(parts)) == sorted(chosen, key=lambda row: row[:2])
    for part, its in enumerate(table.by_part(5)):
        assert rows_of(its) == [(tick, 0, *rest) for tick, of, *rest in rows_of(table) if of == part]


@given(ROWS, st.integers(-3, 3))
def test_controllers_move_with_the_music(rows, ticks):
    """What came before the first tick acts on it."""
    table = controllers_of_rows(rows)
    assert rows_of(table.shift(ticks)) == rows_of(
        controllers_of_rows([(max(tick + ticks, 0), *rest) for tick, *rest in rows_of(table)])
    )


def test_tables_are_values():
    """Arrays in a set, or changed in place, would give nonsense in silence."""
    table = Controllers([0], [0], [PITCH_BEND], [0], [-8192])
    assert table == Controllers([0], [0], [PITCH_BEND], [0], [-8192])
    assert table != Controllers([0], [0], [PITCH_BEND], [0], [8191])
    assert table != "table"
    assert repr(table) == "Controllers(1 controllers)"
    assert len(Controllers.empty()) == 0
    with pytest.raises(TypeError, match="unhashable"):
        hash(table)
    with pytest.raises(ValueError, match="read-only"):
        table.value[0] = 1


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ((-1, 0, CONTROL_CHANGE, 64, 0), "tick in 0.."),
        ((MAX_TICK + 1, 0, CONTROL_CHANGE, 64, 0), "tick in 0.."),
        ((0, -1, CONTROL_CHANGE, 64, 0), "part in 0.."),
        ((0, 0, 0x90, 60, 64), "kind of a controller"),
        ((0, 0, CONTROL_CHANGE, 128, 0), "number in 0..127"),
        ((0, 0, PITCH_BEND, 1, 0), "number 0 of a pitch bend"),
        ((0, 0, CHANNEL_PRESSURE, 1, 0), "number 0 of a pitch bend or channel pressure"),
        ((0, 0, CONTROL_CHANGE, 64, 128), "value in 0..127"),
        ((0, 0, KEY_PRESSURE, 64, -1), "value in 0..127"),
        ((0, 0, PITCH_BEND, 0, 8192), "value of a pitch bend in -8192..8191"),
    ],
)
def test_a_controller_out_of_range_is_named(row, rule):
    """The message says which of thousands, which rule, and what it holds."""
    good = (0, 0, CONTROL_CHANGE, 64, 127)
    with pytest.raises(MidiError) as caught:
        controllers_of_rows([good, row])
    assert "Controller 1 breaks the rule" in str(caught.value)
    assert rule in str(caught.value)


def test_columns_must_fit_one_another():
    """Unequal columns would be cut to the shortest, or paired wrongly."""
    with pytest.raises(ShapeError, match=r"Controllers\.value has shape \(2,\), expected \(1,\)"):
        Controllers([0], [0], [CONTROL_CHANGE], [64], [0, 1])
    with pytest.raises(MidiError, match=r"Controllers\.tick must hold integers"):
        Controllers([0.5], [0], [CONTROL_CHANGE], [64], [0])
