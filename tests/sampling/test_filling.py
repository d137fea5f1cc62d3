"""Filling: given music comes back as it was, and what is new depends on it alone."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from filling_models import Coins
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import part_rolls

from pianoroll_seq2seq import (
    BeatGrid,
    Draw,
    FillingLSTM,
    FrameLayout,
    Generations,
    Given,
    Meter,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    ScaleConstrained,
    Seq2SeqLSTM,
    TempoMap,
    Threshold,
    TimeSignature,
    fill,
    fill_frames,
    generate,
)
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.pianoroll.unchecked import with_planes

PARTS = (Part("soprano", 52, pitches=PitchRange(72, 75)), Part("bass", 43, pitches=PitchRange(40, 43)))
PLANES = [("active",), ("active", "onset"), ("active", "onset", "velocity")]


def roll_of(*rows: str, velocity: int | None = None, parts=PARTS) -> PianoRoll:
    """A row for each frame, a letter for each column: ``.`` silent, ``o`` begins, ``-`` held."""
    letters = np.array([list(row.replace(" ", "")) for row in rows])
    onset = letters == "o"
    made = PianoRoll(letters != ".", onset, parts=parts)
    return made if velocity is None else made.with_velocity(velocity)


def random_roll(num_frames: int, seed: int, parts=PARTS, velocity: bool = False) -> PianoRoll:
    generator = np.random.default_rng(seed)
    columns = sum(len(part.pitches) for part in parts)
    active = generator.random((num_frames, columns)) < 0.4
    onset = active & (generator.random((num_frames, columns)) < 0.4)
    onset[1:] |= active[1:] & ~active[:-1]
    played = np.where(onset, generator.integers(1, 128, onset.shape), 0) if velocity else None
    return PianoRoll(active, onset, parts=parts, velocity=played)


def given_of(roll: PianoRoll, seed: int, p: float = 0.5) -> Given:
    return Given.cells(np.random.default_rng(seed).random((len(roll), len(roll.parts))) < p)


def cells_of(roll: PianoRoll, expression: Given) -> np.ndarray:
    return np.repeat(expression.mask(roll), [len(part.pitches) for part in roll.parts], axis=1)


def small_lstm(layout: FrameLayout, **arguments) -> FillingLSTM:
    torch.manual_seed(0)
    return FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=1, head=MonophonicHead, **arguments).eval()


@given(part_rolls(), st.sampled_from(PLANES), st.integers(0, 99))
def test_given_cells_come_back_bit_for_bit(roll, planes, seed):
    """A melody that was to be harmonized comes back with other notes, onsets or velocities."""
    if not len(roll) or ("velocity" in planes and roll.velocity is None):
        return
    layout, expression = FrameLayout(roll.grid, planes=planes, parts=roll.parts), given_of(roll, seed)
    filled = fill(Coins(layout), roll, expression, seed=seed)
    cells = cells_of(roll, expression)
    assert np.array_equal(filled.active[cells], roll.active[cells])
    assert np.array_equal(filled.onset[cells], roll.onset[cells])
    assert (filled.velocity is None) == (roll.velocity is None)
    if roll.velocity is not None:
        assert np.array_equal(filled.velocity[cells], roll.velocity[cells])
    # The new notes are consistent: each pitch that begins in a free cell has an onset.
    starts = filled.note_starts()
    starts[:1] |= filled.active[:1] & ~cells[:1]
    assert np.array_equal(filled.onset[~cells], (starts & filled.onset)[~cells])
    assert filled.onset[~cells & starts].all()
    assert (filled.parts, filled.tempo, filled.meter) == (roll.parts, roll.tempo, roll.meter)


@given(st.integers(0, 99), st.sampled_from(PLANES))
@settings(max_examples=20)
def test_what_is_not_given_is_not_read(seed, planes):
    """The notes that are to be rewritten would shine through, in the new music or in its first onsets."""
    layout = FrameLayout(planes=planes, parts=PARTS)
    one, other = random_roll(9, seed, velocity=True), random_roll(9, seed + 1, velocity=True)
    expression = given_of(one, seed)
    cells = cells_of(one, expression)
    mixed = PianoRoll(
        np.where(cells, one.active, other.active),
        np.where(cells, one.onset, other.onset),
        parts=PARTS,
        velocity=np.where(cells, one.velocity, other.velocity),
    )
    results = [fill(Coins(layout), roll, expression, seed=seed) for roll in (one, mixed)]
    assert results[0] == results[1]


@given(st.integers(0, 99), st.sampled_from(PLANES), st.booleans())
@settings(max_examples=20)
def test_a_piece_depends_on_its_seed_alone(seed, planes, ends):
    """The takes of a batch change when another piece joins it, or a longer one."""
    model = Coins(FrameLayout(planes=planes, parts=PARTS))
    rolls = [random_roll(length, seed + length, velocity=True) for length in (5, 9, 7)]
    expressions = [given_of(roll, seed + index) for index, roll in enumerate(rolls)]
    many = fill(model, rolls, expressions, seed=seed, ends=ends)
    others = [random_roll(3, 1, velocity=True), random_roll(12, 2, velocity=True), rolls[2]]
    again = fill(model, others, [Given.nothing(), Given.parts("bass"), expressions[2]], seed=seed, ends=ends)
    assert many[2] == again[2]
    assert fill(model, rolls[:1], expressions[:1], seed=seed, ends=ends)[0] == many[0]
    assert fill(model, rolls[0], expressions[0], seed=seed, ends=ends) == many[0]
    assert [len(roll) for roll in many] == [5, 9, 7]


@pytest.mark.parametrize("ends", [True, False])
def test_padding_and_hidden_notes_do_not_reach_the_shipped_kind_of_model(ends):
    """With a bidirectional encoder, the frames after a short piece come first."""
    model = small_lstm(FrameLayout(parts=PARTS))
    monophonic = [fill(model, PianoRoll.silent(length, parts=PARTS), Given.nothing(), seed=3) for length in (12, 20)]
    short, long = monophonic
    for expression in (Given.parts("soprano"), Given.frames(0, 3) | Given.frames(8, 12), Given.nothing()):
        alone = fill(model, short, expression, seed=1, ends=ends)
        among = fill(model, [short, long], [expression, Given.parts("bass")], seed=1, ends=ends)
        assert alone == among[0]
        cells = cells_of(short, expression)
        hidden = replace(short, active=short.active & cells, onset=short.onset & cells)
        assert fill(model, hidden, expression, seed=1, ends=ends) == alone


@pytest.mark.parametrize("model", [Coins, small_lstm, lambda layout: Seq2SeqLSTM(layout, hidden_size=8)])
def test_generating_is_filling_after_a_beginning(model):
    """Two ways to the same continuation would give different music."""
    built = model(FrameLayout(parts=PARTS))
    primers = [random_roll(6, seed) for seed in (1, 2)]
    if isinstance(built, FillingLSTM):
        primers = [fill(built, PianoRoll.silent(6, parts=PARTS), Given.nothing(), seed=seed) for seed in (1, 2)]
    generated = generate(built, primers, num_frames=5, seed=4)
    wholes = [primer + PianoRoll.silent(5, parts=PARTS) for primer in primers]
    assert fill(built, wholes, Given.before(6), seed=4, ends=False) == [
        primer + new for primer, new in zip(primers, generated, strict=True)
    ]


def test_a_model_that_continues_fills_beginnings_of_any_lengths():
    """Each piece is continued from where it ends, with random numbers of its own."""
    model = Seq2SeqLSTM(FrameLayout(parts=PARTS), hidden_size=8)
    rolls = [random_roll(length, length) for length in (9, 6, 9, 7)]
    expressions = [Given.before(4), Given.before(2), Given.before(4), Given.before(7)]
    filled = fill(model, rolls, expressions, seed=2)
    for roll, expression, one in zip(rolls, expressions, filled, strict=True):
        begin = int(expression.mask(roll)[:, 0].sum())
        assert one[:begin] == roll[:begin]
    assert filled[3] == rolls[3]
    assert filled[0] == fill(model, rolls[:1], expressions[:1], seed=2)[0]
    swapped = fill(model, [rolls[3], rolls[0], rolls[2]], [Given.before(7), Given.before(4), Given.before(4)], seed=2)
    assert swapped[2] == filled[2]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (Given.parts("soprano"), r"Seq2SeqLSTM only continues.*such as FillingLSTM.*Given.before\(16\)"),
        (Given.before(2) | Given.frames(4, 5), r"Given.before\(2\)"),
        (Given.nothing(), r"Given.before\(1\)"),
    ],
)
def test_a_model_that_cannot_fill_says_so(expression, message):
    """It would continue, and the rest of what is given would be lost."""
    with pytest.raises(SettingsError, match=message):
        fill(Seq2SeqLSTM(FrameLayout(parts=PARTS), hidden_size=8), random_roll(6, 0), expression)


class Always(Coins):
    """Writes one frame everywhere."""

    def __init__(self, layout: FrameLayout, frame: str) -> None:
        super().__init__(layout)
        letters = np.array(list(frame.replace(" ", "")))
        planes = [letters != ".", letters == "o", letters == "o"][: len(layout.planes)]
        self.frame = torch.tensor(np.concatenate(planes), dtype=torch.float32)

    def _predict(self, before, state):
        coins = super()._predict(before, state)
        return replace(coins, mean_=self.frame.expand_as(before))


@pytest.mark.parametrize("planes", PLANES)
def test_notes_over_the_seams(planes):
    """A held note is struck again at a seam, an onset is missing, or a given cell is changed to fit."""
    layout = FrameLayout(planes=planes, parts=PARTS)
    roll = roll_of("o... o...", "-... -...", ".... ....", "-... -...", "o... -...")
    roll = roll if len(planes) < 3 else roll.with_velocity(70)
    # The new notes sound the same pitches: they go on from the given ones, and into them.
    same = fill(Always(layout, "-... -..."), roll, ~Given.frames(2, 3))
    assert same.onset[:, 0].tolist() == [True, False, False, False, True]
    assert same.active[:, 0].all()
    assert same.notes().onset_frame.tolist() == [0, 4, 0]
    # They are silent: the given cells keep their missing onsets, and a note begins there all the same.
    silent = fill(Always(layout, ".... ...."), roll, ~Given.frames(2, 3))
    assert silent.onset[:, 0].tolist() == [True, False, False, False, True]
    assert silent.notes().onset_frame.tolist() == [0, 3, 4, 0, 3]
    # They begin by themselves: with an onset, and no earlier.
    other = fill(Always(layout, "..-. ..-."), roll, ~Given.frames(2, 3))
    assert other.onset[:, 2].tolist() == [False, False, True, False, False]
    assert other.active[:, 2].tolist() == [False, False, True, False, False]


def test_new_notes_in_the_first_frame_begin():
    """A piece would begin with notes that nobody strikes."""
    filled = fill(Always(FrameLayout(parts=PARTS), "-... -..."), roll_of("-... ....", ".... ...."), Given.parts("bass"))
    assert filled.onset[:, 0].tolist() == [True, False]
    assert fill(
        Always(FrameLayout(parts=PARTS), "...."), roll_of("-... ...."), Given.parts("soprano", "bass")
    ) == roll_of("-... ....")


def test_the_model_reads_given_notes_as_they_are():
    """A note that is held into a given stretch would be read as one that begins there, or one that begins as held."""
    model = Coins(FrameLayout(parts=PARTS), p=0.0)
    roll = roll_of("o... ....", "-... .o..", "-o.. .-..", "-... ....")
    fill(model, roll, Given.frames(1, 3))
    frames, onset = model.seen[0][0].frames, model.layout.columns("onset")
    assert frames[0, 1, onset].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert frames[0, 2, onset].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert not frames[0, [0, 3]].any()
    implied = replace(roll, onset=roll.onset & False)  # onsets that follow from the given cells
    model.seen.clear()
    fill(model, implied, Given.frames(1, 3))
    assert model.seen[0][0].frames[0, 2, onset].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert model.seen[0][0].frames[0, 1, onset].tolist() == [0, 0, 0, 0, 0, 0, 0, 0]


def test_ends_and_lengths_reach_the_model():
    """It would end the music where its batch ends, or not know the last bar."""
    model = Coins(FrameLayout(parts=PARTS))
    rolls = [random_roll(4, 0), random_roll(6, 1)]
    fill(model, rolls, Given.parts("bass"))
    given_, condition = model.seen[0]
    assert given_.end.tolist() == [4, 6]
    assert given_.mask.tolist()[0] == [[False, True]] * 4 + [[False, False]] * 2
    assert condition is None
    model.seen.clear()
    fill(model, rolls, Given.parts("bass"), ends=False)
    assert model.seen[0][0].end.tolist() == [0, 0]


def test_the_model_is_asked_from_the_first_free_frame_to_the_last():
    """Rewriting bar 2 of a long piece would take as long as writing the piece."""
    model = Coins(FrameLayout(parts=PARTS))
    fill(model, random_roll(64, 0), Given.outside(bars=2))
    assert len(model.seen) == 16
    model.seen.clear()
    roll = random_roll(8, 1)
    assert fill(model, roll, ~Given.nothing()) == roll
    assert not model.seen


def test_frames_come_one_by_one():
    """A page would have to wait for the whole piece."""
    model = Coins(FrameLayout(parts=PARTS))
    rolls = [random_roll(6, 0), random_roll(4, 1)]
    whole = fill(model, rolls, Given.parts("bass"), seed=5)
    model.seen.clear()
    stream = fill_frames(model, rolls, Given.parts("bass"), seed=5)
    first = list(islice(stream, 2))
    assert len(model.seen) == 2
    frames = np.stack([*first, *stream], axis=1)
    assert frames.dtype == np.bool_
    assert frames.shape == (2, 6, 16)
    assert not frames[1, 4:].any()
    for roll, one in zip(whole, frames, strict=True):
        assert np.array_equal(roll.to_frames(model.layout)[:, :8], one[: len(roll), :8])


def test_a_scale_is_kept_by_new_notes_alone():
    """A given note outside the scale would be dropped, or every try rejected because of it."""
    layout = FrameLayout(parts=PARTS)
    roll = replace(
        roll_of(*["-..."[i % 4 :] + "-..."[: i % 4] + " ...." for i in range(24)]), onset=np.zeros((24, 8), bool)
    )
    scale = ScaleConstrained(Draw(), (4, 6), layout, tries=200)  # 40 and 42, and no pitch of the soprano
    filled = fill(Coins(layout), roll, Given.parts("soprano"), sampler=scale, seed=1)
    assert np.array_equal(filled["soprano"].active, roll["soprano"].active)
    assert not filled["bass"].active[:, [1, 3]].any()
    free = fill(Coins(layout), roll, Given.parts("soprano"), sampler=Draw(), seed=1)
    assert filled["bass"].active[:, [0, 2]].mean() > 0.5 * free["bass"].active[:, [0, 2]].mean()


def test_thresholds_and_single_samplers():
    """A sampler that knows neither batches nor given cells changes the given ones."""

    def all_on(distribution, *, generator):
        return torch.ones_like(distribution.mean)

    roll = random_roll(5, 0)
    layout = FrameLayout(parts=PARTS)
    for sampler, expected in ((all_on, True), (Threshold(0.01), True), (Threshold(0.9), False)):
        filled = fill(Coins(layout), [roll, roll], Given.parts("bass"), sampler=sampler)[1]
        assert (filled["soprano"].active == expected).all()
        assert filled["bass"] == roll["bass"]


def test_velocities_of_new_notes():
    """New notes would be silent, louder than the piece, or as loud as those that they replace."""
    roll = random_roll(8, 0).with_velocity(60)
    loud = replace(
        roll, velocity=np.where(cells_of(roll, Given.parts("bass")), roll.velocity, roll.onset * np.uint8(127))
    )
    filled = fill(Coins(FrameLayout(parts=PARTS)), loud, Given.parts("bass"))
    assert set(filled["soprano"].velocity[filled["soprano"].onset].tolist()) == {60}
    nothing = fill(Coins(FrameLayout(parts=PARTS)), roll, Given.nothing())
    assert set(nothing.velocity[nothing.onset].tolist()) == {100}
    played = Coins(FrameLayout(planes=PLANES[2], parts=PARTS))
    assert fill(played, random_roll(8, 0), Given.nothing()).velocity is not None
    with pytest.raises(ShapeError, match="has no velocities"):
        fill(played, random_roll(8, 0), Given.parts("bass"))


def test_conditions_of_pieces():
    """A condition of another length would be cut or stretched, one of another size fail deep in the model."""
    model = Coins(FrameLayout(parts=PARTS), condition_size=2)
    rolls = [random_roll(4, 0), random_roll(6, 1)]
    table = [np.arange(8, dtype=np.float32).reshape(4, 2), np.ones((6, 2), np.float32)]
    fill(model, rolls, Given.nothing(), condition=table)
    assert model.seen[0][1][0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [6, 7], [6, 7]]
    fill(model, rolls[0], Given.nothing(), condition=table[0])
    fill(model, rolls, Given.nothing(), condition=np.ones(2))
    with pytest.raises(ShapeError, match="4 rows, but the piece has 6 frames"):
        fill(model, rolls[1], Given.nothing(), condition=table[0])
    with pytest.raises(SettingsError, match="expects conditions of size 2"):
        fill(model, rolls[1], Given.nothing(), condition=np.ones(3))
    with pytest.raises(SettingsError, match="expects none"):
        fill(Seq2SeqLSTM(FrameLayout(parts=PARTS), hidden_size=8), rolls[1], Given.before(3), condition=np.ones(3))


class CountedFrames:
    """The condition of a frame is its number, and whether the piece sounds there."""

    size = 2
    optional_columns = np.zeros(2, dtype=bool)

    def settings(self):
        return {}

    def __call__(self, roll, phrase_ends=None):
        return np.stack([np.arange(len(roll)), roll.active.any(axis=1)], axis=1).astype(np.float32)


def test_a_model_computes_its_conditions():
    """A model that reads the position in the bar would work without it, badly, when nobody passes it."""
    model = Coins(FrameLayout(parts=PARTS), condition_size=2)
    model.condition_source = CountedFrames()
    roll = roll_of("o... ....", ".... o...", ".... o...")
    fill(model, roll, Given.before(1))
    assert model.seen[0][1][0].tolist() == [[0, 1], [1, 0], [2, 0]]  # of what is given
    conditional = Seq2SeqLSTM(FrameLayout(parts=PARTS), hidden_size=8, condition_size=2)
    without = generate(
        conditional, roll, num_frames=3, condition=CountedFrames()(roll + PianoRoll.silent(3, parts=PARTS))
    )
    conditional.condition_source = CountedFrames()
    assert generate(conditional, roll, num_frames=3) == without


def test_what_is_around_the_notes_stays():
    """The result would be at another tempo, in other bars, or played on a piano."""
    roll = random_roll(32, 0)
    meter = Meter([TimeSignature(0, 3, 4)])
    roll = with_planes(roll, roll._planes, tempo=TempoMap(480, [(480, 400_000)]), meter=meter, name="song")
    filled = fill(Coins(FrameLayout(parts=PARTS)), roll, Given.bars(1))
    assert (filled.tempo, filled.meter, filled.name, filled.parts) == (roll.tempo, meter, "song", PARTS)


def test_pieces_that_do_not_fit_are_refused():
    """An error names the piece and the fix, before the model runs."""
    model = Coins(FrameLayout(parts=PARTS))
    roll = random_roll(4, 0)
    with pytest.raises(GridError, match=r"BeatGrid\(frames_per_beat=8\)"):
        fill(model, PianoRoll.silent(4, grid=BeatGrid(8), parts=PARTS), Given.nothing())
    with pytest.raises(PitchRangeError, match="expects the parts soprano, bass"):
        fill(model, [roll, roll["bass"]], Given.nothing())
    with pytest.raises(ShapeError, match="at least one roll"):
        fill(model, [], Given.nothing())
    with pytest.raises(ShapeError, match="no frames"):
        fill(model, roll[:0], Given.nothing())
    with pytest.raises(ShapeError, match="1 Given for 2 pieces"):
        fill(model, [roll, roll], [Given.nothing()])
    with pytest.raises(SettingsError, match=r"Given.parts\('soprano'\)"):
        fill(model, roll, "soprano")
    with pytest.raises(SettingsError, match="is a PianoRoll"):
        fill(model, ["song.mid"], Given.nothing())
    with pytest.raises(SettingsError, match="64-bit integer"):
        fill(model, roll, Given.nothing(), seed=0.5)


def test_the_mode_of_the_model_and_the_display(capsys):
    """A model in training would go on without dropout; or a notebook shows the address of a list."""
    model = Coins(FrameLayout(parts=PARTS)).train()
    filled = fill(model, [random_roll(4, 0)] * 2, Given.parts("bass"), progress=True)
    assert model.training
    assert isinstance(filled, Generations)
    assert not filled.primers
    assert filled._repr_html_().count("<p>") >= 2
    assert "fill" in capsys.readouterr().err
