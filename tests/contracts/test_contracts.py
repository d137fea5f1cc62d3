"""Every plug-in against its contract.

A plug-in joins with one line, in the table of its contract below. The tables are annotated with the
contracts, so a type checker proves that each entry fits: check this folder in strict mode. The tests then run over
every entry of a table, and say nothing of any one of them.
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.data.condition_sources import ConditionSource, JoinedConditions, MetricPosition, PhraseEnds
from pianoroll_seq2seq.data.datasets.airds_airs import airds_airs
from pianoroll_seq2seq.data.datasets.bach_chorales import bach_chorales
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.evaluation.prediction_scores import evaluate
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.given_frames import given_columns
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.models.heads.contract import FillingDistribution, FrameDistribution, OutputHead
from pianoroll_seq2seq.models.heads.head_state import init_head_state
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.nade import NADE, NADEHead
from pianoroll_seq2seq.models.heads.notes import Notes, NotesHead
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.models.transformer import CausalTransformer
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import (
    Draw,
    PolyphonyControl,
    RepetitionControl,
    Sampler,
    ScaleConstrained,
    TemperatureSchedule,
    Threshold,
    TopP,
    Typical,
    generate,
)
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.stores.local import LocalStore
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.trackers.azureml import AzureMLTracker
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker, log_media
from pianoroll_seq2seq.trackers.fan_out import FanOut
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
from pianoroll_seq2seq.trackers.tensorboard import TensorBoardTracker
from pianoroll_seq2seq.trackers.wandb import WandbTracker
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.windowing import SlidingWindows

BATCH, STEPS, PITCHES, FEATURES = 2, 3, 4, 6
LAYOUT = FrameLayout(pitches=PitchRange(60, 63), planes=("active",))
ONSETS = FrameLayout(pitches=PitchRange(60, 61), planes=("active", "onset"))
PARTS = FrameLayout(
    parts=(Part("high", pitches=PitchRange(60, 61)), Part("low", pitches=PitchRange(59, 60))), planes=("active",)
)
ONSETS_OF_PARTS = FrameLayout(
    planes=("active", "onset"),
    parts=(Part("high", pitches=PitchRange(60, 60)), Part("low", pitches=PitchRange(58, 58))),
)
VELOCITIES = FrameLayout(pitches=PitchRange(60, 60), planes=("active", "onset", "velocity"))


class Head(OutputHead, Protocol):
    """``torch.nn.Module.__call__`` takes anything, so the type checker is shown ``forward`` as well.

    All built-in heads take given cells.
    """

    takes_given: bool

    def forward(self, features: Tensor, past: Tensor) -> FillingDistribution: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any: ...


class Model(SequenceModel, Protocol):
    """The same, and what makes a model loadable: all built-in ones are."""

    def forward(self, inputs: Tensor, targets: Tensor) -> FrameDistribution: ...
    def settings(self) -> dict[str, Any]: ...


# The tables: one line a plug-in. Grids and samplers are values; the others are made anew for every test.

GRIDS: dict[str, FrameGrid] = {
    "SecondsGrid": SecondsGrid(0.02),
    "BeatGrid": BeatGrid(4),
}
DISTRIBUTIONS: dict[str, Callable[[], FillingDistribution]] = {
    "Bernoulli": lambda: Bernoulli(torch.randn(BATCH, STEPS, PITCHES)),
    "NADE": lambda: NADE(
        torch.randn(BATCH, STEPS, 3),
        torch.randn(BATCH, STEPS, PITCHES),
        torch.randn(PITCHES, 3),
        torch.randn(PITCHES, 3),
    ),
    "Notes": lambda: Notes(torch.randn(BATCH, STEPS, PITCHES // 2, 3)),
}


HEADS: dict[str, Callable[[], Head]] = {
    "BernoulliHead": lambda: BernoulliHead(FEATURES, PITCHES),
    "MonophonicHead": lambda: MonophonicHead(FEATURES, PARTS, channels=5, lags=(2, 3)),
    "MonophonicHead with onsets": lambda: MonophonicHead(FEATURES, ONSETS, channels=5, lags=(2,)),
    "MonophonicHead with onsets of parts": lambda: MonophonicHead(FEATURES, ONSETS_OF_PARTS, channels=5, lags=(2,)),
    "NADEHead": lambda: NADEHead(FEATURES, PITCHES, hidden_size=5),
    "NADEHead with onsets": lambda: NADEHead(FEATURES, ONSETS_OF_PARTS, hidden_size=5),
    "NADEHead with parts": lambda: NADEHead(FEATURES, PARTS, hidden_size=5),
    "NotesHead": lambda: NotesHead(FEATURES, PITCHES),
    "NotesHead with parts": lambda: NotesHead(FEATURES, ONSETS_OF_PARTS),
    "RelativeBernoulliHead": lambda: RelativeBernoulliHead(FEATURES, PITCHES, channels=5, window=2, num_frames=3),
    "RelativeBernoulliHead with onsets": lambda: RelativeBernoulliHead(FEATURES, ONSETS, channels=5, window=2),
    "RelativeBernoulliHead with parts": lambda: RelativeBernoulliHead(
        FEATURES, PARTS, channels=5, window=2, num_frames=3
    ),
    "RelativeWindowHead": lambda: RelativeWindowHead(FEATURES, PITCHES, channels=5, window=2, num_frames=3),
    "RelativeWindowHead with onsets": lambda: RelativeWindowHead(FEATURES, ONSETS_OF_PARTS, channels=5, window=2),
    "RelativeWindowHead with parts": lambda: RelativeWindowHead(FEATURES, PARTS, channels=5, window=2),
    "RelativeWindowHead with max_polyphony": lambda: RelativeWindowHead(
        FEATURES, PITCHES, channels=5, window=2, max_polyphony=2
    ),
}
# Heads whose distributions take given cells. The last one decides its number of pitches first: a high temperature may
# sharpen it.
FILLING_HEADS: dict[str, Callable[[], Head]] = {
    **{name: make for name, make in HEADS.items() if getattr(make(), "takes_given", False)},
    "RelativeWindowHead with max_polyphony of parts": lambda: RelativeWindowHead(
        FEATURES, PARTS, channels=5, window=2, max_polyphony=2
    ),
}
# Its frames are not only zeros and ones: tests/models/heads/test_velocity.py holds what a head promises against it.
VELOCITY_HEADS: dict[str, Callable[[], Head]] = {
    "VelocityHead": lambda: VelocityHead(FEATURES, VELOCITIES, channels=5),
}
MODELS: dict[str, Callable[[], Model]] = {
    "Seq2SeqLSTM": lambda: Seq2SeqLSTM(PITCHES, hidden_size=5),
    "Seq2SeqLSTM with attention": lambda: Seq2SeqLSTM(PITCHES, hidden_size=5, attention=True),
    "Seq2SeqLSTM with copies": lambda: Seq2SeqLSTM(PITCHES, hidden_size=5, attention=True, num_copy_heads=2),
    "Seq2SeqLSTM with conditions": lambda: Seq2SeqLSTM(PITCHES, hidden_size=5, condition_size=3, condition_dropout=0.5),
    "Seq2SeqLSTM of a layout": lambda: Seq2SeqLSTM(LAYOUT, hidden_size=5),
    "ParallelSeq2SeqLSTM": lambda: ParallelSeq2SeqLSTM(PITCHES, hidden_size=5, block_frames=STEPS),
    "GuidedModel": lambda: GuidedModel(
        Seq2SeqLSTM(PITCHES, hidden_size=5, condition_size=3, condition_dropout=0.5), 0.5
    ),
    "CopyingLSTM": lambda: CopyingLSTM(PITCHES, hidden_size=5, num_copy_heads=2),
    "CopyingLSTM, independent pitches": lambda: CopyingLSTM(
        PITCHES, hidden_size=5, num_copy_heads=2, head=partial(RelativeBernoulliHead, channels=5)
    ),
    "CausalTransformer": lambda: CausalTransformer(
        PITCHES,
        hidden_size=8,
        num_layers=2,
        num_heads=2,
        num_copy_heads=2,
        head=partial(RelativeWindowHead, channels=5),
    ),
    "CausalTransformer without copies": lambda: CausalTransformer(
        LAYOUT, hidden_size=4, num_layers=1, num_heads=1, num_copy_heads=0, head=BernoulliHead
    ),
}
SAMPLERS: dict[str, Sampler] = {
    "Threshold": Threshold(0.3),
    "Draw": Draw(0.8),
    "ScaleConstrained": ScaleConstrained(Draw(), (0, 2, 3), LAYOUT),
    "TopP": TopP(0.8, num_samples=4),
    "Typical": Typical(0.8, num_samples=4),
    "TemperatureSchedule": TemperatureSchedule(lambda frame: 1 / (1 + frame)),
    "PolyphonyControl": PolyphonyControl({1: 0.5}, tries=4),
    "RepetitionControl": RepetitionControl(weight=0.5, max_run=2, tries=4),
}
TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "NoTracker": lambda folder: NoTracker(),
    "JsonlTracker": lambda folder: JsonlTracker(folder / "runs" / "events.jsonl"),
    "FanOut": lambda folder: FanOut(JsonlTracker(folder / "one.jsonl"), JsonlTracker(folder / "two.jsonl")),
    "AzureMLTracker": lambda folder: AzureMLTracker(MagicMock(), local=folder / "metrics.jsonl"),
    "MLflowTracker": lambda folder: MLflowTracker(tracking_uri=f"sqlite:///{folder}/mlflow.db"),
    "TensorBoardTracker": lambda folder: TensorBoardTracker(folder / "tensorboard"),
    "WandbTracker": lambda folder: WandbTracker("contract", mode="offline", folder=folder, run_id="one"),
}
TRACKER_MARKS = {
    "MLflowTracker": (pytest.mark.mlflow, pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")),
    "TensorBoardTracker": (pytest.mark.tensorboard,),
    "WandbTracker": (pytest.mark.wandb,),
}

# What a store promises is held against real ones in tests/stores, for one of them needs a service.
STORES: dict[str, Callable[[Path], Store]] = {
    "LocalStore": LocalStore,
    "AzureBlobStore": lambda folder: AzureBlobStore("runs", account_name="account", account_key="c2VjcmV0"),
}
CONDITION_SOURCES: dict[str, ConditionSource] = {
    "JoinedConditions": JoinedConditions((MetricPosition(), PhraseEnds())),
    "MetricPosition": MetricPosition(),
    "PhraseEnds": PhraseEnds(),
}
DATA_SETS: dict[str, Callable[[], Mapping[str, Score]]] = {
    "airds_airs": lambda: {name: air.score for name, air in airds_airs(["aird-0002"], progress=False).items()},
    "bach_chorales": lambda: {
        name: chorale.score for name, chorale in bach_chorales(["bwv269"], progress=False).items()
    },
    "scale_chords": scale_chords,
}

T = TypeVar("T")


def made(make: Callable[[], T]) -> T:
    """A plug-in with weights that do not depend on the test before; heads and models in double precision."""
    torch.manual_seed(1)
    thing = make()
    if isinstance(thing, nn.Module):
        for parameter in thing.parameters():
            nn.init.normal_(parameter, std=0.7)
        thing.double().eval()
    return thing


def random_frames(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def random_features(seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(BATCH, STEPS, FEATURES)))


def roll_of(frames: int, seed: int = 0) -> PianoRoll:
    return PianoRoll.from_active(random_frames(frames, seed=seed).bool().numpy(), pitches=PitchRange(60, 63))


def rebuilt(thing: object) -> Any:
    """By way of JSON, as in a checkpoint's header."""
    return checkpoint.build(json.loads(json.dumps(checkpoint.describe(thing), allow_nan=False)))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
class TestFrameGrid:
    tempo = TempoMap(960, [(0, 480_000), (1920, 700_000), (9600, 250_000)])

    def test_fits_at_run_time(self, grid: FrameGrid) -> None:
        assert isinstance(grid, FrameGrid)

    def test_lines_become_ticks_and_the_same_lines_again(self, grid: FrameGrid) -> None:
        """A roll that is written and read must stay the same."""
        lines = np.arange(500)
        ticks = grid.ticks_at(lines, self.tempo)
        assert ticks[0] == 0
        np.testing.assert_array_equal(grid.lines_at(ticks, self.tempo), lines)
        assert (np.diff(ticks) > 0).all()

    def test_lines_follow_ticks_in_order(self, grid: FrameGrid) -> None:
        assert (np.diff(grid.lines_at(np.arange(12_000), self.tempo)) >= 0).all()

    def test_knows_the_time_of_its_lines(self, grid: FrameGrid) -> None:
        lines = np.arange(200)
        half_a_tick = 0.7 / 960 / 2
        ticks = self.tempo.seconds(grid.ticks_at(lines, self.tempo))
        np.testing.assert_allclose(grid.seconds_at(lines, self.tempo), ticks, atol=half_a_tick)

    def test_is_a_value_that_a_checkpoint_can_hold(self, grid: FrameGrid) -> None:
        again = rebuilt(grid)
        assert again == grid
        assert hash(again) == hash(grid)
        assert sum(grid == other for other in GRIDS.values()) == 1


def answered(make: Callable[[], Head]) -> Callable[[], FrameDistribution]:
    return lambda: made(make)(random_features(), random_frames(BATCH, STEPS + 2))


EVERY_DISTRIBUTION = DISTRIBUTIONS | {f"of {name}": answered(make) for name, make in HEADS.items()}


@pytest.mark.parametrize("make", EVERY_DISTRIBUTION.values(), ids=EVERY_DISTRIBUTION)
class TestFrameDistribution:
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=PITCHES))).double()

    def probabilities(self, distribution: FrameDistribution) -> Tensor:
        """Of every frame there is: (possible, batch, steps)."""
        everywhere = self.possible[:, None, None].expand(-1, BATCH, STEPS, -1)
        return torch.stack([distribution.log_prob(frames).detach().double().exp() for frames in everywhere])

    def test_fits_at_run_time(self, make: Callable[[], FrameDistribution]) -> None:
        assert isinstance(made(make), FrameDistribution)

    def test_is_a_distribution(self, make: Callable[[], FrameDistribution]) -> None:
        """Nats per frame mean nothing unless all frames together have a probability of one."""
        total = self.probabilities(made(make)).sum(0)
        assert total.shape == (BATCH, STEPS)
        torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-5)

    def test_mean_is_the_marginal_probability_of_each_pitch(self, make: Callable[[], FrameDistribution]) -> None:
        distribution = made(make)
        expected = torch.einsum("fbs,fp->bsp", self.probabilities(distribution), self.possible)
        torch.testing.assert_close(distribution.mean.detach().double(), expected, rtol=0, atol=1e-5)

    def test_draws_each_frame_as_often_as_it_is_likely(self, make: Callable[[], FrameDistribution]) -> None:
        """What is scored and what is played must be one distribution."""
        distribution, generator, draws = made(make), torch.Generator().manual_seed(0), 4000
        many = distribution[torch.arange(BATCH).repeat(draws // 10)]  # each of the batch, many times
        drawn = torch.cat([many.sample(generator=generator) for _ in range(10)]).reshape(draws, BATCH, STEPS, PITCHES)
        assert drawn.is_floating_point()
        seen = (drawn.unsqueeze(1) == self.possible[:, None, None]).all(-1).double().mean(0)
        expected = self.probabilities(distribution)
        tolerance = 5 * (expected * (1 - expected) / draws).sqrt() + 2 / draws
        assert ((seen - expected).abs() < tolerance).all()

    def test_a_generator_alone_decides_the_draw(self, make: Callable[[], FrameDistribution]) -> None:
        distribution, outside = made(make), torch.get_rng_state()
        draws = [distribution.sample(generator=torch.Generator().manual_seed(seed)) for seed in (5, 5, 6, 7, 8)]
        assert torch.equal(draws[0], draws[1])
        assert any(not torch.equal(draws[0], other) for other in draws[2:])
        assert torch.equal(torch.get_rng_state(), outside)

    def test_the_colder_the_sharper(self, make: Callable[[], FrameDistribution]) -> None:
        def entropy(temperature: float) -> Tensor:
            chance = self.probabilities(made(make).tempered(temperature)).clamp(min=1e-30)
            torch.testing.assert_close(chance.sum(0), torch.ones(BATCH, STEPS).double(), rtol=0, atol=1e-5)
            return -(chance * chance.log()).sum(0)

        entropies = [entropy(temperature) for temperature in (0.2, 0.7, 1.0, 1.5, 4.0)]
        assert all((colder < hotter).all() for colder, hotter in itertools.pairwise(entropies))
        unchanged = self.probabilities(made(make).tempered(1.0))
        torch.testing.assert_close(unchanged, self.probabilities(made(make)))
        for wrong in (0.0, -1.0):
            with pytest.raises(ValueError, match="temperature"):
                made(make).tempered(wrong)

    @pytest.mark.parametrize("index", [(slice(None), 0), (slice(None), -1), 1, (slice(0, 1), slice(1, 3))], ids=str)
    def test_is_indexed_by_its_batch_shape(self, make: Callable[[], FrameDistribution], index: Any) -> None:
        """Generation asks for [:, 0] of a single step and must get that step."""
        distribution, frames = made(make), random_frames(BATCH, STEPS)
        picked = distribution[index]
        assert isinstance(picked, FrameDistribution)
        torch.testing.assert_close(picked.mean, distribution.mean[index])
        torch.testing.assert_close(picked.log_prob(frames[index]), distribution.log_prob(frames)[index])
        generator = torch.Generator().manual_seed(0)
        assert picked.sample(generator=generator).shape == distribution.mean[index].shape


@pytest.mark.parametrize("make", FILLING_HEADS.values(), ids=FILLING_HEADS)
class TestFillingDistribution:
    """Of every frame some parts are given. A frame of one part is given as a whole, or not at all."""

    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=PITCHES))).double()

    def given(self, make: Callable[[], Head]) -> tuple[FillingDistribution, Tensor, Tensor]:
        """The distributions, the given frames, and which columns are given: (batch, steps, columns)."""
        head, past = made(make), random_frames(BATCH, STEPS + 2)
        assert head.takes_given
        assert isinstance(head, nn.Module)
        head.train()  # a note may be held that did not sound, and so it may be given
        log_probs = head(random_features(), past)[torch.zeros(16, dtype=torch.long), 0].log_prob(self.possible)
        head.eval()
        valid = self.possible[log_probs > -math.inf]
        rng = np.random.default_rng(3)
        frames = valid[torch.from_numpy(rng.integers(len(valid), size=(BATCH, STEPS)))]
        layout = getattr(head, "layout", None)
        num_parts = len(layout.parts) if isinstance(layout, FrameLayout) else 1
        mask = torch.from_numpy(rng.random((BATCH, STEPS, num_parts)) < 0.6)
        assert mask.any()
        assert not mask.all()
        return (
            head(random_features(), past),
            frames,
            given_columns(mask, layout if isinstance(layout, FrameLayout) and num_parts > 1 else PITCHES),
        )

    def completed(self, frames: Tensor, cells: Tensor) -> Tensor:
        """All frames that there are with the given columns, each as often as others: (possible, batch, steps)."""
        return torch.where(cells, frames, self.possible[:, None, None])

    def probabilities(self, distribution: FrameDistribution, frames: Tensor, cells: Tensor) -> Tensor:
        """Of every frame with the given columns: (possible, batch, steps)."""
        every = [distribution.log_prob(each).detach().double().exp() for each in self.completed(frames, cells)]
        return torch.stack(every) / 2 ** cells.sum(dim=-1)

    @pytest.mark.parametrize("temperature", [1.0, 0.3])
    def test_is_a_distribution_of_what_is_not_given(self, make: Callable[[], Head], temperature: float) -> None:
        """Nats mean nothing otherwise; what is given is certain, so it costs nothing, however unlikely it was."""
        distribution, frames, cells = self.given(make)
        for filling in (
            distribution.given(frames, cells).tempered(temperature),
            cast(FillingDistribution, distribution.tempered(temperature)).given(torch.where(cells, frames, 0.5), cells),
        ):
            total = self.probabilities(filling, frames, cells).sum(dim=0)
            torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-5)
        nothing = distribution.given(frames, torch.zeros_like(cells))
        torch.testing.assert_close(nothing.log_prob(frames), distribution.log_prob(frames))

    def test_samples_and_means_keep_what_is_given(self, make: Callable[[], Head]) -> None:
        distribution, frames, cells = self.given(make)
        filling, draws = distribution.given(frames, cells), 2000
        chances = self.probabilities(filling, frames, cells)
        expected = (chances.unsqueeze(-1) * self.completed(frames, cells)).sum(dim=0)
        torch.testing.assert_close(filling.mean.detach().double()[cells], frames[cells])
        many = filling[torch.arange(BATCH).repeat(draws)]
        drawn = many.sample(generator=torch.Generator().manual_seed(0)).view(draws, BATCH, STEPS, PITCHES).double()
        assert torch.equal(drawn[:, cells], frames[cells].expand(draws, -1))
        tolerance = 5 * (expected * (1 - expected) / draws).sqrt() + 2 / draws
        assert ((drawn.mean(dim=0) - expected).abs() < tolerance).all()

    def test_every_distribution_has_its_own_given_cells(self, make: Callable[[], Head]) -> None:
        """Pieces of a batch have other masks, and generation takes the distributions of one frame."""
        distribution, frames, cells = self.given(make)
        filling = distribution.given(frames, cells)
        for index in ((slice(None), 1), (slice(1, 2), slice(0, 2)), (1, 2)):
            picked = distribution[index]
            alone = cast(FillingDistribution, picked).given(frames[index], cells[index])
            torch.testing.assert_close(filling[index].log_prob(frames[index]), alone.log_prob(frames[index]))
            torch.testing.assert_close(filling.log_prob(frames)[index], alone.log_prob(frames[index]))


def probe(distribution: FrameDistribution) -> Tensor:
    """Some figures that tell distributions apart: (batch, steps, figures)."""
    frames = [random_frames(BATCH, STEPS, seed=seed) for seed in range(4)]
    log_probs = torch.stack([distribution.log_prob(each).detach() for each in frames], dim=-1)
    return log_probs.clamp(min=-1e3)  # some frames are impossible to some, and infinities have no differences


@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
class TestOutputHead:
    def test_fits_at_run_time(self, make: Callable[[], Head]) -> None:
        head = made(make)
        assert isinstance(head, OutputHead)
        assert (head.in_features, head.frame_size) == (FEATURES, PITCHES)

    @pytest.mark.parametrize("before", [0, 1, 6])
    def test_gives_one_distribution_a_step(self, make: Callable[[], Head], before: int) -> None:
        distribution = made(make)(random_features(), random_frames(BATCH, before + STEPS))
        assert distribution.log_prob(random_frames(BATCH, STEPS)).shape == (BATCH, STEPS)
        assert distribution.mean.shape == (BATCH, STEPS, PITCHES)

    @pytest.mark.parametrize("before", [0, 1, 6])
    def test_reads_no_later_frame_and_none_before_its_context(self, make: Callable[[], Head], before: int) -> None:
        """A look ahead cannot be kept up in generation; a look back beyond context_frames neither."""
        head, features, past = made(make), random_features(), random_frames(BATCH, before + STEPS)
        expected = probe(head(features, past))
        for frame in range(before + STEPS):
            changed = past.clone()
            changed[:, frame] = 1 - changed[:, frame]
            difference = (probe(head(features, changed)) - expected).abs().amax(dim=(0, 2))
            for step in range(STEPS):
                age = before + step - frame  # 0 for the latest frame that it may read
                if age < 0 or (head.context_frames is not None and age >= head.context_frames):
                    assert difference[step] < 1e-6, f"step {step} reads frame {frame}"

    def test_steps_together_and_one_by_one_agree(self, make: Callable[[], Head]) -> None:
        """Training asks for all steps at once, generation for one at a time."""
        head, features, past = made(make), random_features(), random_frames(BATCH, 2 + STEPS)
        together = head(features, past)
        for step in range(STEPS):
            alone = head(features[:, step : step + 1], past[:, : 3 + step])[:, 0]
            torch.testing.assert_close(alone.mean, together[:, step].mean)

    @pytest.mark.parametrize("known", [1, 2, 9])
    def test_a_state_predicts_the_same(self, make: Callable[[], Head], known: int) -> None:
        """A continuation differs from what the model predicts from the whole past; or a state cannot be used twice."""
        head, features, frames = made(make), random_features(), random_frames(BATCH, known + 6)
        state = init_head_state(head, frames[:, :known])
        for length in range(known, known + 6):
            feature = features[:, length % STEPS]
            expected = head(feature.unsqueeze(1), frames[:, :length])[:, 0]
            torch.testing.assert_close(state.predict(feature).mean, expected.mean)
            state.update(1 - frames[:, length])  # another continuation, which changes nothing here
            state = state.update(frames[:, length])

    def test_reads_the_features(self, make: Callable[[], Head]) -> None:
        head, past = made(make), random_frames(BATCH, STEPS)
        assert not torch.allclose(probe(head(random_features(0), past)), probe(head(random_features(1), past)))

    def test_every_weight_learns(self, make: Callable[[], Head]) -> None:
        """A weight without gradient is a layer that is not connected."""
        head = made(make)
        assert isinstance(head, nn.Module)
        distribution = head(random_features(), random_frames(BATCH, 4 + STEPS))
        torch.autograd.backward(-distribution.log_prob(random_frames(BATCH, STEPS, seed=1)).mean())
        for name, parameter in head.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name

    def test_settings_build_it_again(self, make: Callable[[], Head]) -> None:
        head = made(make)
        again = rebuilt(head).double().eval()
        assert isinstance(again, type(head))
        assert checkpoint.describe(again) == checkpoint.describe(head)
        again.load_state_dict(head.state_dict())
        past = random_frames(BATCH, STEPS)
        assert torch.equal(probe(again(random_features(), past)), probe(head(random_features(), past)))


@pytest.mark.parametrize("make", VELOCITY_HEADS.values(), ids=VELOCITY_HEADS)
def test_a_head_of_velocities_fits_at_run_time(make: Callable[[], Head]) -> None:
    head = made(make)
    assert isinstance(head, OutputHead)
    past = torch.zeros(BATCH, STEPS, VELOCITIES.frame_size).double()
    assert isinstance(head(random_features(), past), FrameDistribution)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
class TestSequenceModel:
    inputs, targets = random_frames(BATCH, 5), random_frames(BATCH, STEPS, seed=1)

    def windows(self) -> SlidingWindows:
        rolls = [roll_of(20), roll_of(17, seed=1)]
        return SlidingWindows(rolls, input_frames=5, target_frames=STEPS, hop=2, layout=LAYOUT)

    def single(self, make: Callable[[], Model]) -> Model:
        """In single precision, as rolls and windows are."""
        model = made(make)
        assert isinstance(model, nn.Module)
        model.float()
        return model

    def test_fits_at_run_time(self, make: Callable[[], Model]) -> None:
        assert isinstance(made(make), SequenceModel)

    def test_gives_one_distribution_a_target_frame(self, make: Callable[[], Model]) -> None:
        distribution = made(make)(self.inputs, self.targets)
        assert isinstance(distribution, FrameDistribution)
        assert distribution.log_prob(self.targets).shape == (BATCH, STEPS)
        assert distribution.mean.shape == self.targets.shape

    def test_predicts_no_frame_from_itself_or_from_later_ones(self, make: Callable[[], Model]) -> None:
        """A leak gives splendid losses and a model that cannot play."""
        model = made(make)
        expected = probe(model(self.inputs, self.targets))
        for frame in range(STEPS):
            changed = self.targets.clone()
            changed[:, frame] = 1 - changed[:, frame]
            difference = (probe(model(self.inputs, changed)) - expected).abs().amax(dim=(0, 2))
            assert difference[: frame + 1].max() < 1e-6

    def test_reads_its_input(self, make: Callable[[], Model]) -> None:
        model = made(make)
        changed = self.inputs.clone()
        changed[:, 0] = 1 - changed[:, 0]
        assert not torch.allclose(probe(model(changed, self.targets)), probe(model(self.inputs, self.targets)))

    def test_frame_by_frame_it_predicts_what_it_predicts_at_once(self, make: Callable[[], Model]) -> None:
        """What generates must be what was trained."""
        model = made(make)
        with torch.no_grad():
            expected = model(self.inputs, self.targets)
            distribution, state = model.start(self.inputs)
            for step in range(STEPS):
                torch.testing.assert_close(distribution.mean, expected.mean[:, step])
                distribution, state = model.advance(self.targets[:, step], state)
            for _ in range(2 * STEPS):  # and on, past what it was trained to write
                assert distribution.mean.shape == (BATCH, PITCHES)
                distribution, state = model.advance(self.targets[:, 0], state)

    def test_is_evaluated(self, make: Callable[[], Model]) -> None:
        model = self.single(make)
        evaluation = evaluate(model, self.windows())
        assert evaluation.num_frames == 5 * STEPS + 4 * STEPS
        assert evaluation.model.all.nats > 0
        assert evaluation == evaluate(model, self.windows())

    def test_generates(self, make: Callable[[], Model]) -> None:
        model = self.single(make)
        played = generate(model, [roll_of(6), roll_of(6, seed=1)], num_frames=11, seed=2)
        assert [len(roll) for roll in played] == [11, 11]
        assert generate(model, [roll_of(6), roll_of(6, seed=1)], num_frames=11, seed=2) == played

    def test_learns(self, make: Callable[[], Model]) -> None:
        model = self.single(make)
        history = fit(model, self.windows(), epochs=6, batch_size=4, progress=False)
        assert history.train_losses[-1] < history.train_losses[0]

    def test_comes_back_from_a_checkpoint(self, make: Callable[[], Model], tmp_path: Path) -> None:
        model = self.single(make)
        again = checkpoint.load(checkpoint.save(model, tmp_path / "model.safetensors"))
        assert isinstance(again, type(model))
        assert checkpoint.describe(again) == checkpoint.describe(model)
        assert evaluate(again, self.windows()) == evaluate(model, self.windows())


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
class TestSampler:
    def test_fits_at_run_time(self, sampler: Sampler) -> None:
        assert isinstance(sampler, Sampler)

    @pytest.mark.parametrize("make", EVERY_DISTRIBUTION.values(), ids=EVERY_DISTRIBUTION)
    def test_chooses_frames(self, sampler: Sampler, make: Callable[[], FrameDistribution]) -> None:
        """Any sampler with any distribution: frames of zeros and ones, decided by the generator alone."""
        distribution, outside = made(make), torch.get_rng_state()
        frames = sampler(distribution, generator=torch.Generator().manual_seed(3))
        assert frames.shape == (BATCH, STEPS, PITCHES)
        assert frames.is_floating_point()
        assert ((frames == 0) | (frames == 1)).all()
        assert torch.equal(sampler(distribution, generator=torch.Generator().manual_seed(3)), frames)
        assert torch.equal(torch.get_rng_state(), outside)

    @pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
    def test_makes_music_with_every_model(self, sampler: Sampler, make: Callable[[], Model]) -> None:
        model = made(make)
        assert isinstance(model, nn.Module)
        model.float()
        assert generate(model, roll_of(4), num_frames=7, sampler=sampler) == generate(
            model, roll_of(4), num_frames=7, sampler=sampler
        )


@pytest.mark.filterwarnings("ignore:Values that are not finite")  # by a tracker whose service takes none
@pytest.mark.parametrize(
    "make", [pytest.param(make, id=name, marks=TRACKER_MARKS.get(name, ())) for name, make in TRACKERS.items()]
)
class TestTracker:
    def test_fits_at_run_time(self, make: Callable[[Path], Tracker], tmp_path: Path) -> None:
        assert isinstance(make(tmp_path), Tracker)

    def test_takes_all_that_a_run_logs(self, make: Callable[[Path], Tracker], tmp_path: Path) -> None:
        """Every kind of value, figures that are not numbers, and files by path or by string."""
        file = tmp_path / "history.jsonl"
        file.write_text("{}\n")
        with make(tmp_path) as tracker:
            tracker.log_params({"name": "first", "epochs": 3, "rate": 1e-3, "resume": True, "schedule": None})
            tracker.log_metrics({"train_loss": 1.5, "valid_loss": float("nan")}, step=10)
            tracker.log_metrics({"train_loss": float("inf")}, step=20)
            tracker.log_metrics({}, step=20)
            tracker.log_artifact(file)
            tracker.log_artifact(str(file))
            log_media(tracker, "piece_1", file, step=20)
            tracker.flush()

    def test_with_gives_the_tracker_itself(self, make: Callable[[Path], Tracker], tmp_path: Path) -> None:
        tracker = make(tmp_path)
        with tracker as entered:
            assert entered is tracker

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
    def test_does_not_swallow_exceptions(
        self, make: Callable[[Path], Tracker], tmp_path: Path, kind: type[BaseException]
    ) -> None:
        """A run that failed must not look as if it had ended well, to the script or to its user."""

        def run() -> None:
            with make(tmp_path) as tracker:
                tracker.log_metrics({"train_loss": 1.0}, step=1)
                raise kind("out of memory")

        with pytest.raises(kind, match="out of memory"):
            run()

    def test_fit_logs_to_it_and_leaves_it_open(self, make: Callable[[Path], Tracker], tmp_path: Path) -> None:
        """Scores and files follow the training, in the same run."""
        windows = SlidingWindows([roll_of(20)], input_frames=5, target_frames=STEPS, hop=2, layout=LAYOUT)
        model = Seq2SeqLSTM(PITCHES, hidden_size=5)
        with make(tmp_path) as tracker:
            fit(model, windows, windows, epochs=2, batch_size=4, tracker=tracker, progress=False)
            tracker.log_metrics({"test_f1": 0.5}, step=4)

    def test_two_runs_in_one_place_do_not_disturb_each_other(
        self, make: Callable[[Path], Tracker], tmp_path: Path
    ) -> None:
        """A resumed run goes on where the first one stopped."""
        for step in (1, 2):
            with make(tmp_path) as tracker:
                tracker.log_metrics({"train_loss": 1.0}, step=step)


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_a_store_fits_at_run_time(make: Callable[[Path], Store], tmp_path: Path) -> None:
    assert isinstance(make(tmp_path), Store)


@pytest.mark.parametrize("source", CONDITION_SOURCES.values(), ids=CONDITION_SOURCES)
class TestConditionSource:
    def test_fits_at_run_time(self, source: ConditionSource) -> None:
        assert isinstance(source, ConditionSource)

    def test_a_row_for_each_frame(self, source: ConditionSource) -> None:
        """A model reads the condition of another frame, or of another size than it was built for."""
        for num_frames in (0, 1, 9):
            for phrase_ends in (None, [], [num_frames] if num_frames else []):
                rows = source(PianoRoll.silent(num_frames), phrase_ends)
                assert rows.shape == (num_frames, source.size)
                assert rows.dtype == np.float32
                assert np.isfinite(rows).all()

    def test_what_is_unknown_is_zero(self, source: ConditionSource) -> None:
        """Training drops what may be unknown, and the model then reads something else where it is unknown."""
        assert source.optional_columns.shape == (source.size,)
        assert not source(PianoRoll.silent(9))[:, source.optional_columns].any()

    def test_settings_build_it_again(self, source: ConditionSource) -> None:
        """A model that was saved reads other conditions than the one that was trained."""
        assert checkpoint.build(checkpoint.describe(source)) == source


@pytest.mark.parametrize("make", DATA_SETS.values(), ids=DATA_SETS)
class TestDataSet:
    def test_gives_the_same_music_each_time(self, make: Callable[[], Mapping[str, Score]]) -> None:
        """Two runs learn from different pieces, or from the same in another order, and cannot be compared."""
        first, second = make(), make()
        assert list(first) == list(second)
        assert all(first[name] == second[name] for name in first)

    def test_pieces_bear_their_names(self, make: Callable[[], Mapping[str, Score]]) -> None:
        """What a split or a score says of a piece cannot be traced to it."""
        for name, score in make().items():
            assert score.name == name
            assert PianoRoll.from_score(score).name == name

    def test_pieces_hold_music_within_a_piano(self, make: Callable[[], Mapping[str, Score]]) -> None:
        """An empty piece, or one out of range, ends a training that took the set as it is."""
        for score in make().values():
            assert (score.notes.end_tick > score.notes.onset_tick).all()
            assert PianoRoll.from_score(score).active.any()
