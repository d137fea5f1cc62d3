"""From a model to music: what is drawn, and what becomes of it."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, InScale, Threshold, generate, generate_frames
from pianoroll_seq2seq.tempo import TempoMap

PITCHES = PitchRange(60, 65)


class Wheel(nn.Module):
    """Every frame is the one before it, a pitch higher; the highest goes on as the lowest. No chance involved."""

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


def lstm(decoder: str = "autoregressive") -> Seq2SeqLSTM:
    torch.manual_seed(0)
    model = Seq2SeqLSTM(
        6,
        hidden=8,
        decoder=decoder,
        block_frames=5,
        head=RelativeBernoulliHead(8, 6, channels=4, window=3, frames=2) if decoder == "autoregressive" else None,
    )
    with torch.no_grad():  # loud enough that draws differ
        for name, parameter in model.head.named_parameters():
            if name in ("logit.bias", "logits.bias"):
                parameter.fill_(-0.5)
    return model


def noise(frames: int, *, seed: int = 0, name: str = "", **more: Any) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 6)) < 0.4
    return PianoRoll.from_active(active, pitches=PITCHES, name=name, **more)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestThreshold:
    @settings(deadline=None)
    @given(probability=st.floats(0.01, 1), seed=st.integers(0, 99))
    def test_a_pitch_sounds_from_the_threshold_on(self, probability, seed):
        logits = torch.randn(4, 6, generator=seeded(seed))
        generator = seeded()
        before = generator.get_state()
        frames = Threshold(probability)(Bernoulli(logits), generator=generator)
        expected = 1 / (1 + np.exp(-logits.numpy())) >= np.float32(probability)
        np.testing.assert_array_equal(frames.numpy(), expected)
        assert torch.equal(generator.get_state(), before)

    def test_reaching_it_is_enough(self):
        """Documented: 'reaches'. At 0.5 an even chance sounds."""
        assert Threshold(0.5)(Bernoulli(torch.zeros(1)), generator=seeded()).tolist() == [1.0]
        assert Threshold(1.0)(Bernoulli(torch.tensor([99.0, 0.0])), generator=seeded()).tolist() == [1.0, 0.0]

    @pytest.mark.parametrize("probability", [0.0, -0.1, 1.01, math.nan])
    def test_out_of_range_is_an_error(self, probability):
        """Threshold(0) would sound every pitch there is."""
        with pytest.raises(SettingsError, match="probability"):
            Threshold(probability)


class TestDraw:
    @settings(deadline=None)
    @given(temperature=st.one_of(st.just(1.0), st.floats(0.1, 10)), seed=st.integers(0, 99))
    def test_is_a_draw_from_the_tempered_distribution(self, temperature, seed):
        distribution = Bernoulli(torch.randn(4, 6, generator=seeded(seed)))
        frames = Draw(temperature)(distribution, generator=seeded(seed))
        assert torch.equal(frames, distribution.tempered(temperature).sample(generator=seeded(seed)))

    def test_the_colder_the_more_likely(self):
        """'Below 1 safer, above 1 bolder' is what the user turns the knob for."""
        distribution = Bernoulli(torch.randn(4000, 6, generator=seeded(5)))
        scores = [
            float(distribution.log_prob(Draw(temperature)(distribution, generator=seeded())).mean())
            for temperature in (0.01, 0.5, 1.0, 2.0, 10.0)
        ]
        assert scores == sorted(scores, reverse=True)
        frames = Draw(1e-4)(distribution, generator=seeded())
        assert float((frames == (distribution.mean > 0.5)).float().mean()) > 0.999

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_out_of_range_is_an_error(self, temperature):
        with pytest.raises(SettingsError, match="temperature"):
            Draw(temperature)


class Chords(Bernoulli):
    """Either C and E or C# and F in each row, as often the one as the other: never any other notes together."""

    FRAMES = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]])

    def sample(self, *, generator: torch.Generator) -> Tensor:
        return self.FRAMES[torch.randint(2, self.logits.shape[:-1], generator=generator)]


class TestInScale:
    def test_is_the_models_own_draw_given_that_it_lies_in_the_scale(self):
        """Notes that belong together are torn apart where only some of them lie in the scale."""
        sampler = InScale(Draw(), (0, 2, 4, 5), PITCHES)  # F lies in it, the C# beside it does not
        frames = sampler(Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0))
        assert (frames == Chords.FRAMES[0]).all()

    def test_what_no_try_brings_into_the_scale_is_silent(self):
        """The music leaves the scale after all, or the choice never ends."""
        sampler = InScale(Draw(), (5,), PITCHES)
        frames = sampler(Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0))
        assert set(map(tuple, frames.tolist())) == {(0,) * 6, (0,) * 5 + (1,)}
        once = InScale(Draw(), (0,), PITCHES, tries=1)(
            Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0)
        )
        assert 0.4 < once[:, 0].mean() < 0.6

    def test_music_that_lies_in_the_scale_is_left_alone(self):
        everything = InScale(Draw(0.7), tuple(range(12)), PITCHES)
        distribution = Bernoulli(torch.randn(9, 6))
        drawn = [
            sampler(distribution, generator=torch.Generator().manual_seed(1)) for sampler in (everything, Draw(0.7))
        ]
        assert torch.equal(*drawn)

    def test_both_planes_are_kept_to_the_scale(self):
        """A note outside the scale is struck, though it does not sound."""
        frames = InScale(Threshold(), (0, 4), PITCHES)(Bernoulli(torch.full((2, 12), 9.0)), generator=torch.Generator())
        assert frames.tolist() == [[1, 0, 0, 0, 1, 0] * 2] * 2

    @pytest.mark.parametrize("wrong", [{"scale": ()}, {"scale": (12,)}, {"tries": 0}])
    def test_no_scale_is_an_error(self, wrong):
        with pytest.raises(SettingsError, match=r"InScale|Pitch classes"):
            InScale(**({"sampler": Draw(), "scale": (0,), "pitches": PITCHES} | wrong))


class TestGenerate:
    @settings(deadline=None, max_examples=25)
    @given(heard=st.integers(1, 8), frames=st.integers(1, 12), seed=st.integers(0, 99))
    def test_feeds_back_what_it_writes(self, heard, frames, seed):
        """A model that turns the wheel must play the wheel, from wherever the primer ends."""
        primer = noise(heard, seed=seed)
        continuation = generate(Wheel(), primer, frames=frames)
        expected = [np.roll(primer.active[-1], step + 1) for step in range(frames)]
        np.testing.assert_array_equal(continuation.active, expected)

    @settings(deadline=None, max_examples=15)
    @given(
        heard=st.integers(1, 6),
        frames=st.integers(1, 13),
        seed=st.integers(0, 2**40),
        decoder=st.sampled_from(["autoregressive", "parallel"]),
        sampler=st.sampled_from([Draw(), Draw(2.0), Threshold(0.4)]),
    )
    def test_is_the_loop_anyone_would_write(self, heard, frames, seed, decoder, sampler):
        model = lstm(decoder).eval()
        primers = [noise(heard, seed=0), noise(heard, seed=1)]
        generator = seeded(seed)
        with torch.no_grad():
            distribution, state = model.start(torch.tensor(np.stack([roll.active for roll in primers])).float())
            played = []
            for _ in range(frames):
                played.append(sampler(distribution, generator=generator))
                distribution, state = model.advance(played[-1], state)
        continuations = generate(model, primers, frames=frames, sampler=sampler, seed=seed)
        expected = torch.stack(played, 1).bool().numpy()
        np.testing.assert_array_equal(np.stack([roll.active for roll in continuations]), expected)

    @pytest.mark.parametrize("decoder", ["autoregressive", "parallel"])
    def test_equal_seeds_give_equal_music_and_others_do_not(self, decoder):
        """Without this no piece that someone liked could be made again."""
        model, primer = lstm(decoder), noise(8)
        played = {seed: generate(model, primer, frames=20, seed=seed) for seed in range(6)}
        torch.rand(3)
        for seed, roll in played.items():
            assert generate(model, primer, frames=20, seed=seed) == roll
        for one, other in itertools.combinations(played.values(), 2):
            assert one != other
        assert generate(model, primer, frames=20) == played[0]

    def test_more_frames_go_on_from_fewer(self):
        """Asking for a longer piece must not change the beginning one liked."""
        model, primer = lstm(), noise(8)
        assert generate(model, primer, frames=20, seed=3)[:7] == generate(model, primer, frames=7, seed=3)

    def test_a_list_is_continued_side_by_side(self):
        """One primer, many continuations: the usual way to choose the best."""
        primers = [noise(4, seed=seed, name=f"piece {seed}") for seed in (0, 1, 1)]
        played = generate(Wheel(), primers, frames=5)
        assert isinstance(played, list)
        assert played == [generate(Wheel(), primer, frames=5) for primer in primers]
        assert [roll.name for roll in played] == ["piece 0 continued", "piece 1 continued", "piece 1 continued"]
        drawn = generate(lstm(), [noise(4)] * 3, frames=20)
        assert drawn[0] != drawn[1] != drawn[2] != drawn[0]
        assert isinstance(generate(Wheel(), primers[:1], frames=5), list)
        assert generate(Wheel(), tuple(primers), frames=5) == played

    def test_primers_do_not_hear_one_another(self):
        primers = [noise(6, seed=seed) for seed in range(4)]
        together = generate(lstm(), primers, frames=12, sampler=Threshold(0.4))
        assert together == [generate(lstm(), primer, frames=12, sampler=Threshold(0.4)) for primer in primers]

    def test_held_notes_are_not_struck_again(self):
        """Heard as a hiccup at the very place where the model takes over."""
        active = np.zeros((4, 6), bool)
        active[1:, 2] = True
        active[:2, 4] = True
        primer = PianoRoll.from_active(active, pitches=PITCHES)
        continuation = generate(Held(), primer, frames=3)
        assert continuation.active[:, 2].all()
        assert not continuation.onset.any()
        onset, end, column = (primer + continuation).notes()
        assert sorted(zip(column.tolist(), onset.tolist(), end.tolist(), strict=True)) == [(2, 1, 7), (4, 0, 2)]

    def test_notes_that_begin_are_struck(self):
        primer = PianoRoll.from_active(np.eye(6, dtype=bool)[:1], pitches=PITCHES)
        continuation = generate(Wheel(), primer, frames=3)
        np.testing.assert_array_equal(continuation.onset, continuation.active)

    @pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.125)])
    def test_goes_on_in_the_tempo_on_which_the_primer_ends(self, grid):
        """A continuation at 120 BPM of a piece at 60 would be a different piece."""
        tempo = TempoMap(480, [(0, 1_000_000), (480, 250_000)])
        primer = noise(16, grid=grid, tempo=tempo)
        continuation = generate(lstm(), primer, frames=8)
        assert (continuation.grid, continuation.pitches) == (primer.grid, primer.pitches)
        assert continuation.tempo.us_per_beat_at(0) == 250_000
        whole = primer + continuation
        assert whole.tempo == primer.tempo
        assert len(whole) == 24
        assert whole.seconds == pytest.approx(primer.seconds + continuation.seconds)

    @pytest.mark.parametrize("training", [True, False])
    def test_leaves_the_model_as_it_was(self, training):
        """Listening in between epochs must not switch dropout off for the rest of training, nor on for the music."""
        model = Seq2SeqLSTM(6, hidden=8, dropout=0.5).train(training)
        before = torch.get_rng_state()
        first = generate(model, noise(4), frames=6, sampler=Threshold(0.05))
        assert model.training is training
        assert torch.equal(torch.get_rng_state(), before)
        assert all(parameter.grad is None for parameter in model.parameters())
        assert generate(model.eval(), noise(4), frames=6, sampler=Threshold(0.05)) == first

    def test_leaves_the_model_as_it_was_when_it_fails(self):
        class Broken(Wheel):
            def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
                raise RuntimeError("broken")

        model = Broken()
        with pytest.raises(RuntimeError, match="broken"):
            generate(model, noise(4), frames=6)
        assert model.training

    def test_any_callable_is_a_sampler(self):
        """Say, one that never plays more than one note at a time."""

        def loudest(distribution: Any, *, generator: torch.Generator) -> Tensor:
            return nn.functional.one_hot(distribution.mean.argmax(-1), 6).float()

        continuation = generate(lstm(), noise(4), frames=9, sampler=loudest)
        assert (continuation.active.sum(axis=1) == 1).all()

    def test_frames_come_as_they_are_written(self):
        """For playing along while the model writes: the stream does not run ahead, and does not end."""
        primers = np.stack([noise(4, seed=seed).active for seed in (0, 1)])
        stream = generate_frames(Wheel(), primers, sampler=Draw())
        for step in range(30):
            np.testing.assert_array_equal(next(stream), np.roll(primers[:, -1], step + 1, axis=-1))

    def test_a_roll_may_be_streamed_from_as_it_is(self):
        """Its planes are read-only, of which PyTorch warns, once a process (warnings fail tests)."""
        torch.set_warn_always(True)
        try:
            next(generate_frames(Wheel(), noise(4).active[None], sampler=Draw()))
        finally:
            torch.set_warn_always(False)

    def test_shows_progress_only_when_asked(self, capfd):
        """A library prints nothing of its own accord."""
        generate(lstm(), noise(4), frames=3)
        assert capfd.readouterr() == ("", "")
        generate(lstm(), noise(4), frames=3, progress=True)
        shown = capfd.readouterr()
        assert shown.out == ""
        assert "3/3" in shown.err

    @pytest.mark.parametrize("frames", [0, -1])
    def test_fewer_than_one_frame_is_an_error(self, frames):
        with pytest.raises(SettingsError, match=f"frames .*{frames}"):
            generate(lstm(), noise(4), frames=frames)

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (noise(5, name="other"), "has 4 frames.*'other' has 5.*roll"),
            (noise(4, name="other", grid=BeatGrid(8)), "'other' .*frames_per_beat=8"),
            (PianoRoll.from_active(np.ones((4, 6), bool), pitches=PitchRange(61, 66), name="other"), "lowest=61"),
        ],
    )
    def test_primers_that_differ_are_an_error_that_names_them(self, other, message):
        with pytest.raises(ShapeError, match=f"'first' .*{message}"):
            generate(lstm(), [noise(4, name="first"), other], frames=3)

    def test_no_primer_and_an_empty_one_are_errors(self):
        with pytest.raises(ShapeError, match="at least one primer"):
            generate(lstm(), [], frames=3)
        with pytest.raises(ShapeError, match="'silent' has no frames"):
            generate(lstm(), noise(4, name="silent")[:0], frames=3)

    def test_a_primer_of_other_pitches_than_the_model_is_an_error(self):
        primer = PianoRoll.from_active(np.ones((4, 7), bool), pitches=PitchRange(60, 66))
        with pytest.raises(ShapeError, match="PitchRange that the model was trained on"):
            generate(lstm(), primer, frames=3)


def test_thousands_of_continuations_at_once() -> None:
    """Many continuations have to be made one after another, or come back as one."""
    model = Seq2SeqLSTM(5, hidden=4)
    active = np.random.default_rng(0).random((3000, 6, 5)) < 0.3
    primers = [PianoRoll.from_active(one, pitches=PitchRange(60, 64)) for one in active]
    written = generate(model, primers, frames=4, seed=1)
    assert [len(roll) for roll in written] == [4] * 3000
    assert len({roll.active.tobytes() for roll in written}) > 100


def test_training_goes_on_between_two_frames_of_a_stream() -> None:
    """Whoever trains a model while it plays trains without dropout, or without gradients."""
    model = Seq2SeqLSTM(5, hidden=4, dropout=0.5).train()
    stream = generate_frames(model, np.zeros((1, 3, 5), dtype=bool))
    for _ in range(3):
        next(stream)
        assert model.training
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


# ---- With onsets


class Chances(Wheel):
    """Whatever went before, every column has the same chance of its own; remembers what it has heard."""

    def __init__(self, *chances: float) -> None:
        super().__init__()
        self.chances, self.heard = torch.tensor(chances), []

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        self.heard.append(frame.clone())
        return Bernoulli(torch.logit(self.chances.expand_as(frame))), None


class TestOnsets:
    def primer(self) -> PianoRoll:
        active = np.zeros((4, 6), bool)
        active[:, 1] = active[2:, 4] = True
        onset = np.zeros((4, 6), bool)
        onset[[0, 2], 1] = onset[2, 4] = True
        return PianoRoll(active, onset, pitches=PITCHES, name="primer")

    def test_repeats_what_is_held_and_strikes_what_is_struck(self):
        """A model that repeats its last frame strikes the same notes again and again; they must not run together."""
        primer = self.primer()[:3]
        continuation = generate(Held(), primer, frames=5, sampler=Threshold(), onsets=True)
        np.testing.assert_array_equal(continuation.active, primer.active[[2] * 5])
        np.testing.assert_array_equal(continuation.onset, primer.onset[[2] * 5])
        assert continuation.name == "primer continued"
        assert len(continuation.notes()[0]) == 10
        held = generate(Held(), self.primer(), frames=5, sampler=Threshold(), onsets=True)
        assert held.active[:, [1, 4]].all()
        assert not held.onset.any()

    def test_what_begins_is_struck_and_only_what_sounds(self):
        """Independent columns contradict one another, and the roll cannot be made or the model hears what is not so."""
        model = Chances(*[0.5] * 12)
        primers = [self.primer(), self.primer()]
        continuations = generate(model, primers, frames=40, seed=3, onsets=True)
        for primer, continuation in zip(primers, continuations, strict=True):
            whole = np.concatenate([primer.active[-1:], continuation.active])
            begins = whole[1:] & ~whole[:-1]
            assert (continuation.onset >= begins).all()
            assert (continuation.onset & ~begins).any()
            assert (continuation.onset <= continuation.active).all()
        played = np.stack([np.hstack([roll.active, roll.onset]) for roll in continuations], axis=1)
        np.testing.assert_array_equal(torch.stack(model.heard[1:]).numpy(), played[:-1])

    def test_the_threshold_is_for_both_planes(self):
        """A pitch likely to be struck does not sound, or one unlikely to be struck is."""
        model = Chances(0.9, 0.9, 0.1, 0.9, 0.2, 0.1)
        primer = PianoRoll.from_active(np.ones((2, 3), bool), pitches=PitchRange(60, 62))
        continuation = generate(model, primer, frames=3, sampler=Threshold(0.5), onsets=True)
        np.testing.assert_array_equal(continuation.active, [[True, True, False]] * 3)
        np.testing.assert_array_equal(continuation.onset, [[True, False, False]] * 3)

    def test_hears_what_is_struck_in_the_primer(self):
        """All notes of the primer are heard as held, or as struck in each frame."""
        heard = []

        class Listener(Held):
            def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
                heard.append(primer.clone())
                return super().start(primer)

        primer = self.primer()
        loose = PianoRoll(primer.active, np.zeros((4, 6), bool), pitches=PITCHES)
        for roll in (primer, loose):
            generate(Listener(), roll, frames=1, onsets=True)
        np.testing.assert_array_equal(heard[0][0].numpy(), np.hstack([primer.active, primer.onset]))
        begins = np.zeros((4, 6), bool)
        begins[2, 4] = True
        np.testing.assert_array_equal(heard[1][0].numpy(), np.hstack([primer.active, begins]))

    def test_is_streamed(self):
        primers = np.stack([np.hstack([self.primer().active, self.primer().onset])] * 2)
        stream = generate_frames(Chances(*[0.5] * 12), primers, seed=3, onsets=True)
        played = np.stack([next(stream) for _ in range(10)], axis=1)
        rolls = generate(Chances(*[0.5] * 12), [self.primer()] * 2, frames=10, seed=3, onsets=True)
        np.testing.assert_array_equal(played, [np.hstack([roll.active, roll.onset]) for roll in rolls])

    def test_half_a_pitch_is_an_error(self):
        with pytest.raises(ShapeError, match=r"two columns for each pitch, got 5.*concatenate"):
            next(generate_frames(Held(), np.ones((1, 3, 5), bool), onsets=True))

    @pytest.mark.parametrize("onsets", [False, True])
    def test_a_model_of_the_other_kind_is_an_error(self, onsets):
        """A model hears columns of which it was never told."""
        model = Seq2SeqLSTM(6 if onsets else 12, hidden=4)
        with pytest.raises(ShapeError, match=f"{model.pitches}.*got .*{18 - model.pitches}"):
            generate(model, self.primer(), frames=2, onsets=onsets)
