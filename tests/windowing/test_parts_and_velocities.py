"""Windows of several parts and of velocities: what a model reads is what the rolls hold, cell by cell."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from written_corpus import write_corpus

from pianoroll_seq2seq import (
    Augmentation,
    Corpus,
    FrameLayout,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    SlidingWindows,
    WholePieces,
    build_corpus,
)
from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.errors import CorpusError, PitchRangeError, ShapeError
from pianoroll_seq2seq.parts import Part

TRIO = (
    Part("melody", pitches=PitchRange(60, 71)),
    Part("drums", drums=True, pitches=PitchRange(35, 39)),
    Part("bass", program=33, pitches=PitchRange(40, 50)),
)
EVEN = (Part("high", pitches=PitchRange(60, 67)), Part("low", pitches=PitchRange(40, 47)))
ONE = (Part(pitches=PitchRange(60, 70)),)
GRID = SecondsGrid(0.02)
pytestmark = pytest.mark.filterwarnings("ignore:.*pieces have fewer")


def performed(frames: int, parts: tuple[Part, ...] = TRIO, *, seed: int = 0, density: float = 0.4) -> PianoRoll:
    """Noise with a velocity for each onset, in which some notes are repeated without a gap."""
    random = np.random.default_rng(seed)
    active = random.random((frames, sum(len(part.pitches) for part in parts))) < density
    onset = active & (random.random(active.shape) < 0.4)
    onset[1:] |= active[1:] & ~active[:-1]
    velocity = onset * random.integers(1, 128, active.shape, dtype=np.uint8)
    return PianoRoll(active, onset, GRID, velocity=velocity, parts=parts, name=f"piece {seed}")


def with_velocity(music: PianoRoll | Corpus) -> FrameLayout:
    return FrameLayout.of(music, velocity=True)


def floats(roll: PianoRoll, layout: FrameLayout) -> np.ndarray:
    """The frames of a roll as a model reads them."""
    frames = roll.to_frames(layout).astype(np.float32)
    frames[:, layout.columns("velocity")] /= np.float32(127)
    return frames


def whole(windows: SlidingWindows, indices: np.ndarray, seed: int | None = None) -> np.ndarray:
    generator = None if seed is None else np.random.default_rng(seed)
    return torch.cat(windows.batch(indices, generator=generator), dim=1).numpy()


@given(
    lengths=st.lists(st.integers(1, 150), min_size=1, max_size=4),
    parts=st.sampled_from([TRIO, EVEN, ONE]),
    hop=st.integers(1, 9),
    density=st.sampled_from([0.0, 0.02, 0.5]),
    compiled=st.booleans(),
)
def test_windows_are_slices_of_all_planes(lengths, parts, hop, density, compiled):
    """A model would read the velocities of other notes, of other frames or of other parts."""
    with loops.forced(compiled):
        _check_that_windows_are_slices(lengths, parts, hop, density)


def _check_that_windows_are_slices(lengths, parts, hop, density):
    rolls = [performed(length, parts, seed=seed, density=density) for seed, length in enumerate(lengths)]
    layout = with_velocity(rolls[0])
    windows = SlidingWindows(rolls, input_frames=3, target_frames=5, hop=hop, short="pad", layout=layout)
    expected = []
    for roll in rolls:
        frames = floats(roll, layout)
        frames = np.concatenate([frames, np.zeros((max(0, 8 - len(roll)), layout.frame_size), np.float32)])
        expected += [frames[begin : begin + 8] for begin in range(0, len(frames) - 7, hop)]
    order = np.random.default_rng(1).permutation(len(windows))
    np.testing.assert_array_equal(whole(windows, order), np.array(expected)[order])
    out = torch.full((len(windows), 8, layout.frame_size), torch.nan)
    np.testing.assert_array_equal(torch.cat(windows.batch(order, out=out), dim=1).numpy(), np.array(expected)[order])
    strided = torch.full((8, len(windows) + 1, layout.frame_size), torch.nan).transpose(0, 1)
    np.testing.assert_array_equal(
        torch.cat(windows.batch(order, out=strided), dim=1).numpy(), np.array(expected)[order]
    )
    assert torch.isnan(strided[-1]).all()
    without = SlidingWindows(rolls, input_frames=3, target_frames=5, hop=hop, short="pad")
    np.testing.assert_array_equal(whole(without, order), np.array(expected)[order][..., : without.layout.frame_size])
    velocities = np.array(expected)[..., layout.columns("velocity")]
    assert np.array_equal(np.rint(127 * velocities) / np.float32(127), velocities)  # velocity / 127 loses nothing


@pytest.mark.parametrize("parts", [TRIO, EVEN, ONE], ids=["trio", "even", "one"])
@pytest.mark.parametrize(
    "augmentation", [None, Augmentation((-4, 4)), Augmentation((-2, 3), (0.4, 2.5))], ids=["plain", "key", "tempo"]
)
def test_a_corpus_gives_those_of_the_rolls(tmp_path: Path, parts, augmentation):
    """A corpus would train on other velocities or parts than the same files in memory."""
    numbers = itertools.count()
    shards = [
        [performed(frames, parts, seed=next(numbers), density=0.2) for frames in lengths]
        for lengths in ([12, 3, 140], [5], [70, 64, 4, 9], [2, 2], [64, 8])
    ]
    corpus, rolls = write_corpus(tmp_path / "corpus", shards), list(itertools.chain(*shards))
    corpus.verify()
    for found, roll in zip(corpus, rolls, strict=True):
        assert found == roll
        assert found.parts == roll.parts
        np.testing.assert_array_equal(found.velocity, roll.velocity)
    mapped, held = (
        SlidingWindows(
            pieces,
            input_frames=3,
            target_frames=6,
            hop=2,
            short="pad",
            augmentation=augmentation,
            layout=with_velocity(corpus),
        )
        for pieces in (corpus, rolls)
    )
    assert mapped.fingerprint() == held.fingerprint()
    order = np.random.default_rng(1).permutation(len(held))
    expected = whole(held, order, seed=2)
    data = pickle.dumps(mapped)
    assert np.load(corpus.folder / "00002.velocity.npy").tobytes() not in data
    for windows in (mapped, pickle.loads(data), pickle.loads(pickle.dumps(held))):
        np.testing.assert_array_equal(whole(windows, order, seed=2), expected)


def test_real_songs_from_a_corpus(pop909_dir: Path, tmp_path: Path):
    """Three tracks of real songs would reach the model with other velocities than the files'."""
    paths = sorted(pop909_dir.glob("*.mid"))[:12]
    names = ["MELODY", "BRIDGE", "PIANO"]
    corpus = build_corpus(paths, tmp_path / "corpus", parts=names, files_per_shard=5, progress=False)
    rolls = [PianoRoll.from_midi(path, parts=names) for path in paths]
    for found, roll in zip(corpus, rolls, strict=True):
        assert (found, found.parts, found.meter) == (roll, roll.parts, roll.meter)
        np.testing.assert_array_equal(found.velocity, roll.velocity)
        assert roll.meter
    layout = with_velocity(corpus)
    windows = SlidingWindows(corpus, input_frames=50, target_frames=50, hop=37, layout=layout)
    held = SlidingWindows(rolls, input_frames=50, target_frames=50, hop=37, layout=layout)
    order = np.random.default_rng(0).permutation(len(windows))
    np.testing.assert_array_equal(whole(windows, order), whole(held, order))


@given(slowest=st.floats(0.25, 1), fastest=st.floats(1, 4), frames=st.integers(9, 140), seed=st.integers(0, 99))
def test_at_another_tempo_velocities_stay_with_their_onsets(slowest, fastest, frames, seed):
    """A note would be as loud as another one; or two notes that become one as loud as the softer."""
    augmentation = Augmentation(tempo=(slowest, fastest))
    roll = performed(frames, seed=seed, density=0.3)
    layout = with_velocity(roll)
    windows = SlidingWindows([roll], input_frames=4, target_frames=5, hop=1, augmentation=augmentation, layout=layout)
    starts = np.arange(len(windows))
    found = whole(windows, starts, seed)
    taken = starts[:, None] + augmentation.draw_frame_indices(frames - starts, 9, np.random.default_rng(seed))
    onset, velocity = found[..., layout.columns("onset")], np.rint(127 * found[..., layout.columns("velocity")])
    np.testing.assert_array_equal(velocity > 0, onset > 0)
    for window, indices in zip(velocity, taken.tolist(), strict=True):
        for place, column in np.argwhere(window).tolist():
            before = indices[place - 1] if place else indices[0] - 1
            assert window[place, column] == roll.velocity[before + 1 : indices[place] + 1, column].max()


class TestTransposition:
    @given(seed=st.integers(0, 99), low=st.integers(-20, 0), high=st.integers(0, 20))
    def test_each_part_stays_in_its_range_and_drums_stay(self, seed, low, high):
        """A transposed melody would end in the columns of the bass, and a snare would become a bass drum."""
        roll = performed(30, seed=seed, density=0.05)
        layout = with_velocity(roll)
        windows = SlidingWindows(
            [roll], input_frames=3, target_frames=4, hop=1, augmentation=Augmentation((low, high)), layout=layout
        )
        everything = np.arange(len(windows))
        for before, after in zip(whole(windows, everything), whole(windows, everything, seed), strict=True):
            fitting = [step for step in range(low, high + 1) if np.array_equal(moved(before, step, layout), after)]
            assert fitting

    def test_every_interval_that_fits_is_drawn(self):
        """An octave of silence in one part would keep the others from being transposed."""
        active = np.zeros((9, 28), dtype=bool)
        active[:, 3] = active[:, 14] = True  # the melody has room from -3 to 8, and the bass is silent
        roll = PianoRoll.from_active(active, grid=GRID, parts=TRIO).with_velocity(80)
        windows = SlidingWindows(
            [roll],
            input_frames=3,
            target_frames=4,
            hop=3,
            augmentation=Augmentation((-20, 20)),
            layout=with_velocity(roll),
        )
        drawn = {int(whole(windows, np.zeros(1, int), seed)[0, 0, :12].argmax()) - 3 for seed in range(200)}
        assert drawn == set(range(-3, 9))

    def test_a_kit_alone_is_not_transposed(self):
        kit = (Part("kit", drums=True, pitches=PitchRange(35, 50)),)
        roll = performed(20, kit, density=0.05)
        windows = SlidingWindows([roll], input_frames=3, target_frames=4, hop=1, augmentation=Augmentation((-3, 3)))
        everything = np.arange(len(windows))
        np.testing.assert_array_equal(whole(windows, everything, 0), whole(windows, everything))


def moved(window: np.ndarray, step: int, layout: FrameLayout) -> np.ndarray | None:
    """A window transposed part by part; None if a note would leave the range of its part."""
    result = window.copy()
    for plane, part in itertools.product(layout.planes, layout.parts):
        if part.drums:
            continue
        columns = layout.columns(plane, part.name)
        block = window[:, columns]
        size = len(part.pitches)
        lost = block[:, max(size - step, 0) :] if step > 0 else block[:, :-step]
        if lost.any():
            return None
        shifted = np.zeros_like(block)
        for column in np.flatnonzero(block.any(axis=0)):
            shifted[:, column + step] = block[:, column]
        result[:, columns] = shifted
    return result


class TestWholePieces:
    def test_their_frames_are_those_of_the_rolls(self):
        """A model of whole pieces would read the velocities of another piece."""
        rolls = [performed(frames, seed=seed) for seed, frames in enumerate([5, 130, 8, 64, 12])]
        layout = with_velocity(rolls[0])
        pieces = WholePieces(rolls, max_frames_per_batch=150, layout=layout)
        by_name = {roll.name: roll for roll in rolls}
        for index in range(len(pieces)):
            _, targets = pieces[index]
            for found, name in zip(targets.numpy(), pieces.names(index), strict=True):
                expected = floats(by_name[name], layout)
                np.testing.assert_array_equal(found[: len(expected)], expected)
                assert not found[len(expected) :].any()

    def test_they_are_transposed_part_by_part(self):
        active = np.zeros((9, 28), dtype=bool)
        active[::2, [5, 12, 16, 22]] = True
        roll = PianoRoll.from_active(active, grid=GRID, parts=TRIO).with_velocity(70)
        layout = with_velocity(roll)
        pieces = WholePieces([roll], max_frames_per_batch=9, layout=layout, augmentation=Augmentation((-5, 5)))
        before = floats(roll, layout)
        found = [pieces.batch([0], generator=np.random.default_rng(seed))[1][0].numpy() for seed in range(99)]
        steps = {
            next(step for step in range(-5, 6) if np.array_equal(moved(before, step, layout), after)) for after in found
        }
        assert steps == set(range(-5, 6))


def test_a_fingerprint_has_the_velocities_that_the_model_reads():
    """A run would be resumed with other velocities."""
    roll = performed(20)
    louder = roll.with_velocity(100)
    sizes = {"input_frames": 3, "target_frames": 4, "hop": 1}
    prints = [
        [SlidingWindows([one], **sizes, layout=layout).fingerprint() for one in (roll, louder)]
        for layout in (with_velocity(roll), FrameLayout.of(roll, onsets=True))
    ]
    assert prints[0][0] != prints[0][1]
    assert prints[1][0] == prints[1][1]
    whole_prints = [
        WholePieces([one], max_frames_per_batch=20, layout=with_velocity(one)).fingerprint() for one in (roll, louder)
    ]
    assert whole_prints[0] != whole_prints[1]


def test_unknown_velocities_are_refused(tmp_path: Path):
    """A model of dynamics would learn that all notes are silent."""
    known, unknown = performed(20, seed=1), performed(20, seed=2).with_velocity(None)
    layout = with_velocity(known)
    with pytest.raises(ShapeError, match=r"'piece 2' has no velocities.*velocity=True"):
        SlidingWindows([known, unknown], input_frames=3, target_frames=4, hop=1, layout=layout)
    corpus = write_corpus(tmp_path / "corpus", [[unknown]])
    assert not corpus.has_velocity
    with pytest.raises(CorpusError, match=r"no velocities. Build it again with velocity=True"):
        SlidingWindows(corpus, input_frames=3, target_frames=4, hop=1, layout=layout)


def test_pieces_of_other_parts_are_refused(tmp_path: Path):
    """A model would read a bass in the columns of the melody."""
    trio, duo = performed(20, seed=1), performed(20, EVEN, seed=2)
    for pieces, layout in (([trio, duo], None), ([duo], FrameLayout.of(trio)), ([trio["bass"], trio["melody"]], None)):
        with pytest.raises(PitchRangeError, match=r"piece 2|piece 1"):
            SlidingWindows(pieces, input_frames=3, target_frames=4, hop=1, layout=layout)
    corpus = write_corpus(tmp_path / "corpus", [[trio]])
    with pytest.raises(PitchRangeError, match="has the parts melody, drums, bass, but the layout expects the parts"):
        SlidingWindows(corpus, input_frames=3, target_frames=4, hop=1, layout=FrameLayout.of(duo))


def test_the_repr_names_parts_and_planes():
    roll = performed(20)
    windows = SlidingWindows([roll], input_frames=3, target_frames=4, hop=1, layout=with_velocity(roll))
    assert repr(windows).endswith("parts melody, drums, bass, with onsets and velocities)")
