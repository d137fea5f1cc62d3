"""Generation: frames are fed back, seeds reproduce music, and layouts are checked."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Threshold, generate, generate_frames
from pianoroll_seq2seq.tempo import TempoMap

PITCHES = PitchRange(60, 65)
BOTH = FrameLayout(pitches=PITCHES, planes=("active", "onset"))


class Wheel(nn.Module):
    """Every frame is the one before it, a pitch higher; the highest wraps to the lowest. Deterministic."""

    frame_size = 6

    def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
        return self.advance(primer[:, -1], None)

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(frame.roll(1, dims=-1) * 60 - 30), None

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(torch.cat([inputs[:, -1:], targets[:, :-1]], 1).roll(1, dims=-1) * 60 - 30)


class Held(Wheel):
    """Every frame is the one before it."""

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(frame * 60 - 30), None


MODELS: dict[str, Any] = {
    "autoregressive": partial(Seq2SeqLSTM, head=partial(RelativeBernoulliHead, channels=4, window=3, num_frames=2)),
    "parallel": ParallelSeq2SeqLSTM,
}


def lstm(name: str = "autoregressive", layout: FrameLayout | int = 6) -> Any:
    torch.manual_seed(0)
    model = MODELS[name](layout, hidden_size=8, block_frames=5)
    with torch.no_grad():  # likely notes, so that samples differ
        for key, parameter in model.head.named_parameters():
            if key in ("logit.bias", "logits.bias"):
                parameter.fill_(-0.5)
    return model


def noise(frames: int, *, seed: int = 0, name: str = "", **more: Any) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 6)) < 0.4
    return PianoRoll.from_active(active, pitches=PITCHES, name=name, **more)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestGenerate:
    @given(primer_frames=st.integers(1, 8), num_frames=st.integers(1, 12), seed=st.integers(0, 99))
    def test_feeds_back_what_it_writes(self, primer_frames, num_frames, seed):
        """The model must read its own frames, beginning with the last one of the primer."""
        primer = noise(primer_frames, seed=seed)
        continuation = generate(Wheel(), primer, num_frames=num_frames)
        expected = [np.roll(primer.active[-1], step + 1) for step in range(num_frames)]
        np.testing.assert_array_equal(continuation.active, expected)

    @settings(max_examples=15)
    @given(
        primer_frames=st.integers(1, 6),
        num_frames=st.integers(1, 13),
        seed=st.integers(0, 2**40),
        name=st.sampled_from(list(MODELS)),
        sampler=st.sampled_from([Draw(), Draw(2.0), Threshold(0.4)]),
    )
    def test_is_the_plain_loop(self, primer_frames, num_frames, seed, name, sampler):
        model = lstm(name).eval()
        primers = [noise(primer_frames, seed=0), noise(primer_frames, seed=1)]
        generator = RowGenerators(seed, 2)
        with torch.no_grad():
            distribution, state = model.start(torch.tensor(np.stack([roll.active for roll in primers])).float())
            written = []
            for _ in range(num_frames):
                written.append(sampler(distribution, generator=generator))
                distribution, state = model.advance(written[-1], state)
        continuations = generate(model, primers, num_frames=num_frames, sampler=sampler, seed=seed)
        expected = torch.stack(written, 1).bool().numpy()
        np.testing.assert_array_equal(np.stack([roll.active for roll in continuations]), expected)

    @pytest.mark.parametrize("name", list(MODELS))
    def test_equal_seeds_give_equal_music_and_others_do_not(self, name):
        """Otherwise a piece could not be reproduced."""
        model, primer = lstm(name), noise(8)
        written = {seed: generate(model, primer, num_frames=20, seed=seed) for seed in range(6)}
        torch.rand(3)
        for seed, roll in written.items():
            assert generate(model, primer, num_frames=20, seed=seed) == roll
        for one, other in itertools.combinations(written.values(), 2):
            assert one != other
        assert generate(model, primer, num_frames=20) == written[0]

    def test_a_longer_continuation_begins_like_a_shorter_one(self):
        """A longer piece must not have another beginning."""
        model, primer = lstm(), noise(8)
        assert generate(model, primer, num_frames=20, seed=3)[:7] == generate(model, primer, num_frames=7, seed=3)

    def test_a_list_is_continued_in_one_batch(self):
        """One primer with many continuations, of which the user chooses one."""
        primers = [noise(4, seed=seed, name=f"piece {seed}") for seed in (0, 1, 1)]
        written = generate(Wheel(), primers, num_frames=5)
        assert isinstance(written, list)
        assert written == [generate(Wheel(), primer, num_frames=5) for primer in primers]
        assert [roll.name for roll in written] == ["piece 0 continued", "piece 1 continued", "piece 1 continued"]
        sampled = generate(lstm(), [noise(4)] * 3, num_frames=20)
        assert sampled[0] != sampled[1] != sampled[2] != sampled[0]
        assert isinstance(generate(Wheel(), primers[:1], num_frames=5), list)
        assert generate(Wheel(), tuple(primers), num_frames=5) == written

    def test_primers_of_a_batch_are_independent(self):
        primers = [noise(6, seed=seed) for seed in range(4)]
        together = generate(lstm(), primers, num_frames=12, sampler=Threshold(0.4))
        assert together == [generate(lstm(), primer, num_frames=12, sampler=Threshold(0.4)) for primer in primers]

    def test_notes_held_over_from_the_primer_have_no_onset(self):
        """They would be repeated at the place where the primer ends."""
        active = np.zeros((4, 6), bool)
        active[1:, 2] = True
        active[:2, 4] = True
        primer = PianoRoll.from_active(active, pitches=PITCHES)
        continuation = generate(Held(), primer, num_frames=3)
        assert continuation.active[:, 2].all()
        assert not continuation.onset.any()
        onset, end, pitch = (primer + continuation).notes()[:3]
        assert sorted(zip((pitch - PITCHES.lowest).tolist(), onset.tolist(), end.tolist(), strict=True)) == [
            (2, 1, 7),
            (4, 0, 2),
        ]

    def test_notes_that_begin_have_onsets(self):
        primer = PianoRoll.from_active(np.eye(6, dtype=bool)[:1], pitches=PITCHES)
        continuation = generate(Wheel(), primer, num_frames=3)
        np.testing.assert_array_equal(continuation.onset, continuation.active)

    @pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.125)])
    def test_continues_at_the_tempo_of_the_end_of_the_primer(self, grid):
        """A continuation at 120 BPM of a piece at 60 would be a different piece."""
        tempo = TempoMap(480, [(0, 1_000_000), (480, 250_000)])
        primer = noise(16, grid=grid, tempo=tempo)
        continuation = generate(lstm(), primer, num_frames=8)
        assert (continuation.grid, continuation.pitches) == (primer.grid, primer.pitches)
        assert continuation.tempo.us_per_beat_at(0) == 250_000
        whole = primer + continuation
        assert whole.tempo == primer.tempo
        assert len(whole) == 24
        assert whole.seconds == pytest.approx(primer.seconds + continuation.seconds)

    @pytest.mark.parametrize("training", [True, False])
    def test_leaves_the_model_as_it_was(self, training):
        """Generating between epochs must not switch dropout off for the rest of training, nor on for the music."""
        model = Seq2SeqLSTM(6, hidden_size=8, dropout=0.5).train(training)
        before = torch.get_rng_state()
        first = generate(model, noise(4), num_frames=6, sampler=Threshold(0.05))
        assert model.training is training
        assert torch.equal(torch.get_rng_state(), before)
        assert all(parameter.grad is None for parameter in model.parameters())
        assert generate(model.eval(), noise(4), num_frames=6, sampler=Threshold(0.05)) == first

    def test_leaves_the_model_as_it_was_when_it_fails(self):
        class Broken(Wheel):
            def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
                raise RuntimeError("broken")

        model = Broken()
        with pytest.raises(RuntimeError, match="broken"):
            generate(model, noise(4), num_frames=6)
        assert model.training

    def test_any_callable_is_a_sampler(self):
        """For example one that never plays more than one note at a time."""

        def most_likely(distribution: Any, *, generator: torch.Generator) -> Tensor:
            return nn.functional.one_hot(distribution.mean.argmax(-1), 6).float()

        continuation = generate(lstm(), noise(4), num_frames=9, sampler=most_likely)
        assert (continuation.active.sum(axis=1) == 1).all()

    def test_frames_are_yielded_one_by_one(self):
        """For live use: the stream does not run ahead, and does not end."""
        primers = np.stack([noise(4, seed=seed).active for seed in (0, 1)])
        stream = generate_frames(Wheel(), primers, sampler=Draw())
        for step in range(30):
            np.testing.assert_array_equal(next(stream), np.roll(primers[:, -1], step + 1, axis=-1))

    def test_read_only_planes_can_be_streamed_from(self):
        """PyTorch warns of them once per process (warnings fail tests)."""
        torch.set_warn_always(True)
        try:
            next(generate_frames(Wheel(), noise(4).active[None], sampler=Draw()))
        finally:
            torch.set_warn_always(False)

    def test_shows_progress_only_when_asked(self, capfd):
        """A library prints nothing of its own accord."""
        generate(lstm(), noise(4), num_frames=3)
        assert capfd.readouterr() == ("", "")
        generate(lstm(), noise(4), num_frames=3, progress=True)
        shown = capfd.readouterr()
        assert shown.out == ""
        assert "3/3" in shown.err

    @pytest.mark.parametrize("num_frames", [0, -1])
    def test_fewer_than_one_frame_is_an_error(self, num_frames):
        with pytest.raises(SettingsError, match=f"num_frames .*{num_frames}"):
            generate(lstm(), noise(4), num_frames=num_frames)

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (noise(5, name="other"), "'first' has 4 frames.*'other' has 5.*roll"),
            (noise(4, name="other", grid=BeatGrid(8)), "other.* is on .*frames_per_beat=8"),
            (
                PianoRoll.from_active(np.ones((4, 6), bool), pitches=PitchRange(61, 66), name="other"),
                "other.*lowest=61",
            ),
        ],
    )
    def test_primers_that_differ_are_an_error_that_names_them(self, other, message):
        with pytest.raises((ShapeError, GridError, PitchRangeError), match=message):
            generate(lstm(), [noise(4, name="first"), other], num_frames=3)

    def test_no_primer_and_an_empty_one_are_errors(self):
        with pytest.raises(ShapeError, match="at least one primer"):
            generate(lstm(), [], num_frames=3)
        nothing = np.zeros((0, 4, 6), dtype=bool)
        for sampler in (Draw(), lambda distribution, *, generator: distribution.sample(generator=generator)):
            with pytest.raises(ShapeError, match="at least one primer"):
                next(generate_frames(lstm(), nothing, sampler=sampler))
        with pytest.raises(ShapeError, match="'silent' has no frames"):
            generate(lstm(), noise(4, name="silent")[:0], num_frames=3)

    def test_a_primer_of_other_pitches_than_the_model_is_an_error(self):
        primer = PianoRoll.from_active(np.ones((4, 7), bool), pitches=PitchRange(60, 66))
        with pytest.raises(ShapeError, match=r"\(batch, frames >= 1, 6\), got \(1, 4, 7\).*to_frames"):
            generate(lstm(), primer, num_frames=3)


def test_thousands_of_continuations_at_once() -> None:
    """They would be made one after another, or come back as one."""
    model = Seq2SeqLSTM(5, hidden_size=4)
    active = np.random.default_rng(0).random((3000, 6, 5)) < 0.3
    primers = [PianoRoll.from_active(one, pitches=PitchRange(60, 64)) for one in active]
    written = generate(model, primers, num_frames=4, seed=1)
    assert [len(roll) for roll in written] == [4] * 3000
    assert len({roll.active.tobytes() for roll in written}) > 100


def test_a_model_can_be_trained_between_two_frames_of_a_stream() -> None:
    """It would be trained without dropout, or without gradients."""
    model = Seq2SeqLSTM(5, hidden_size=4, dropout=0.5).train()
    stream = generate_frames(model, np.zeros((1, 3, 5), dtype=bool))
    for _ in range(3):
        next(stream)
        assert model.training
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


# ---- With onsets


class Constant(Wheel):
    """Every column has a constant probability. It stores the frames that it reads."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__()
        self.probabilities, self.read = torch.tensor(probabilities), []

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        self.read.append(frame.clone())
        return Bernoulli(torch.logit(self.probabilities.expand_as(frame))), None


class TestOnsets:
    def primer(self) -> PianoRoll:
        active = np.zeros((4, 6), bool)
        active[:, 1] = active[2:, 4] = True
        onset = np.zeros((4, 6), bool)
        onset[[0, 2], 1] = onset[2, 4] = True
        return PianoRoll(active, onset, pitches=PITCHES, name="primer")

    def test_onsets_of_active_pitches_are_repeated_notes(self):
        """A model that repeats a frame with onsets repeats its notes; they must not become one long note."""
        primer = self.primer()[:3]
        continuation = generate(Held(), primer, num_frames=5, sampler=Threshold(), layout=BOTH)
        np.testing.assert_array_equal(continuation.active, primer.active[[2] * 5])
        np.testing.assert_array_equal(continuation.onset, primer.onset[[2] * 5])
        assert continuation.name == "primer continued"
        assert len(continuation.notes().pitch) == 10
        held = generate(Held(), self.primer(), num_frames=5, sampler=Threshold(), layout=BOTH)
        assert held.active[:, [1, 4]].all()
        assert not held.onset.any()

    def test_onsets_are_made_consistent(self):
        """Independent columns contradict one another; the roll and the model must both get consistent ones."""
        model = Constant(*[0.5] * 12)
        primers = [self.primer(), self.primer()]
        continuations = generate(model, primers, num_frames=40, seed=3, layout=BOTH)
        for primer, continuation in zip(primers, continuations, strict=True):
            whole = np.concatenate([primer.active[-1:], continuation.active])
            begins = whole[1:] & ~whole[:-1]
            assert (continuation.onset >= begins).all()
            assert (continuation.onset & ~begins).any()
            assert (continuation.onset <= continuation.active).all()
        written = np.stack([np.hstack([roll.active, roll.onset]) for roll in continuations], axis=1)
        np.testing.assert_array_equal(torch.stack(model.read[1:]).numpy(), written[:-1])

    def test_the_threshold_is_for_both_planes(self):
        """A pitch would sound without being likely, or begin without being likely to."""
        model = Constant(0.9, 0.9, 0.1, 0.9, 0.2, 0.1)
        primer = PianoRoll.from_active(np.ones((2, 3), bool), pitches=PitchRange(60, 62))
        continuation = generate(
            model, primer, num_frames=3, sampler=Threshold(0.5), layout=FrameLayout.of(primer, onsets=True)
        )
        np.testing.assert_array_equal(continuation.active, [[True, True, False]] * 3)
        np.testing.assert_array_equal(continuation.onset, [[True, False, False]] * 3)

    def test_reads_the_onsets_of_the_primer(self):
        """All notes of the primer would be held, or begin in each frame."""
        read = []

        class Reader(Held):
            def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
                read.append(primer.clone())
                return super().start(primer)

        primer = self.primer()
        loose = PianoRoll(primer.active, np.zeros((4, 6), bool), pitches=PITCHES)
        for roll in (primer, loose):
            generate(Reader(), roll, num_frames=1, layout=BOTH)
        np.testing.assert_array_equal(read[0][0].numpy(), np.hstack([primer.active, primer.onset]))
        begins = np.zeros((4, 6), bool)
        begins[2, 4] = True
        np.testing.assert_array_equal(read[1][0].numpy(), np.hstack([primer.active, begins]))

    def test_is_streamed(self):
        primers = np.stack([np.hstack([self.primer().active, self.primer().onset])] * 2)
        stream = generate_frames(Constant(*[0.5] * 12), primers, seed=3, layout=BOTH)
        written = np.stack([next(stream) for _ in range(10)], axis=1)
        rolls = generate(Constant(*[0.5] * 12), [self.primer()] * 2, num_frames=10, seed=3, layout=BOTH)
        np.testing.assert_array_equal(written, [np.hstack([roll.active, roll.onset]) for roll in rolls])

    def test_frames_of_another_size_than_the_layout_are_errors(self):
        with pytest.raises(ShapeError, match=r"Expected frames of 12 columns.*got 6.*to_frames"):
            next(generate_frames(Held(), np.ones((1, 3, 6), bool), layout=BOTH))

    @pytest.mark.parametrize("onsets", [False, True])
    def test_a_model_of_other_planes_is_an_error(self, onsets):
        """A model would read columns that mean something else."""
        layout = FrameLayout.of(self.primer(), onsets=onsets)
        model = Seq2SeqLSTM(18 - layout.frame_size, hidden_size=4)
        with pytest.raises(ShapeError, match=f"{18 - layout.frame_size}.*got .*{layout.frame_size}"):
            generate(model, self.primer(), num_frames=2, layout=layout)

    def test_the_model_knows_its_layout(self):
        """The layout need not be passed for a model that was built from one."""
        written = generate(Seq2SeqLSTM(BOTH, hidden_size=4, head=NotesHead), self.primer(), num_frames=9, seed=1)
        assert (written.pitches, len(written)) == (PITCHES, 9)


class TestLayout:
    """A primer of another layout gives frames that mean something else to the model: nonsense, without an error."""

    @pytest.mark.parametrize(
        ("primer", "error", "message"),
        [
            (noise(4, grid=BeatGrid(8)), GridError, "frames_per_beat=8.*expects frames on .*frames_per_beat=4"),
            (noise(4, grid=SecondsGrid(0.125)), GridError, "SecondsGrid"),
            (noise(4).with_pitches(PitchRange(60, 66)), PitchRangeError, r"highest=66.*roll\.with_pitches"),
            (PianoRoll.silent(4, pitches=PitchRange(61, 66)), PitchRangeError, "lowest=61.*expects.*lowest=60"),
        ],
    )
    @pytest.mark.parametrize("name", [*MODELS, "copying"])
    def test_a_primer_of_another_layout_is_refused(self, name, primer, error, message):
        layout = FrameLayout(pitches=PITCHES, planes=("active",))
        model = CopyingLSTM(layout, hidden_size=8) if name == "copying" else lstm(name, layout)
        assert len(generate(model, noise(4), num_frames=3)) == 3
        for primers in (primer, [noise(4), primer]):
            with pytest.raises(error, match=message):
                generate(model, primers, num_frames=3)
        with pytest.raises(error):
            generate(GuidedModel(Seq2SeqLSTM(layout, hidden_size=4, condition_size=2), 0.5), primer, num_frames=3)

    def test_a_given_layout_is_checked_too(self):
        layout = FrameLayout(BeatGrid(8), PITCHES, planes=("active",))
        with pytest.raises(GridError):
            generate(Wheel(), noise(4), num_frames=3, layout=layout)
        assert generate(Wheel(), noise(4, grid=BeatGrid(8)), num_frames=3, layout=layout).grid == BeatGrid(8)


@pytest.mark.parametrize("primer", ["song.mid", [np.zeros((4, 12), dtype=bool)]], ids=["path", "array"])
def test_a_primer_of_another_type_is_refused(primer: object) -> None:
    """A user passes a path or an array to generate, and the error does not say what a primer is."""
    with pytest.raises(SettingsError, match=r"A primer is a PianoRoll.*from_midi"):
        generate(Seq2SeqLSTM(12, hidden_size=4), primer, num_frames=1)  # type: ignore[call-overload]


def test_a_seed_beyond_64_bits_is_refused() -> None:
    """A long number on the command line ends in a traceback."""
    with pytest.raises(SettingsError, match="64-bit"):
        generate(Seq2SeqLSTM(6, hidden_size=4), noise(4), num_frames=1, seed=10**23)
