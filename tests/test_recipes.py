"""The recipes and the likelihood benchmark, on tiny data: that they run, not how well they learn."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.io
import torch

from pianoroll_seq2seq import BeatGrid, FrameLayout, PianoRoll, PitchRange, likelihood, read_midi
from pianoroll_seq2seq.checkpoint import describe
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from recipes.copying import copying
from recipes.encoder_decoder import HEADS, encoder_decoder
from recipes.recipe import Recipe, active_columns, adamw, train
from recipes.transformer import transformer

BENCHMARK = Path(__file__).resolve().parent.parent / "benchmarks" / "likelihood.py"
PITCHES = 4
LAYOUT = FrameLayout(BeatGrid(1), PitchRange(60, 63), planes=("active",))
TINY_COPYING = {"hidden_size": 8, "num_copy_heads": 2, "channels": 8, "window": 3, "num_frames": 2, "repeats": 1}
TINY_WINDOWS = {"hidden_size": 8, "input_frames": 4, "target_frames": 6, "epochs": 1, "batch_size": 8}

pytestmark = pytest.mark.usefixtures("one_thread")


def rolls(count: int, frames: int = 12, *, seed: int = 0, pitches: int = PITCHES) -> tuple[PianoRoll, ...]:
    """Pieces in which a chord moves up and down, with a few wrong notes."""
    rng = np.random.default_rng(seed)
    pieces = []
    for number in range(count):
        length = frames + number % 3
        steps = np.abs(np.arange(length) // 2 + number) % pitches
        active = np.zeros((length, pitches), dtype=bool)
        active[np.arange(length), steps] = active[np.arange(length), (steps + 2) % pitches] = True
        active ^= rng.random(active.shape) < 0.1
        pieces.append(PianoRoll.from_active(active, grid=BeatGrid(1), pitches=PitchRange(60, 59 + pitches)))
    return tuple(pieces)


def recipe_of(name: str, pieces: Sequence[PianoRoll]) -> Recipe:
    head, *more = name.split("+")
    if head == "transformer":
        sizes = {"hidden_size": 8, "num_layers": 1, "num_heads": 2}
        tiny = {**TINY_COPYING, **sizes, **dict.fromkeys(more, True)}
        return transformer(pieces, steps=3, max_frames_per_batch=32, **tiny)
    if head == "copying":
        return copying(pieces, steps=3, max_frames_per_batch=32, **dict.fromkeys(more, True), **TINY_COPYING)
    return encoder_decoder(head=head, **dict.fromkeys(more, True), **TINY_WINDOWS)


def total(model: SequenceModel, recipe: Recipe, active: np.ndarray) -> float:
    """The log-probability of a whole piece."""
    roll = PianoRoll.from_active(active, grid=BeatGrid(1), pitches=PitchRange(60, 59 + PITCHES))
    scored = likelihood(model, [roll], input_frames=recipe.input_frames, target_frames=recipe.target_frames)
    return -scored.nats * scored.num_frames


READ_THE_PAST = ("relative-bernoulli", "relative-window")
WHOLE = ["copying", "copying+independent", "transformer", "transformer+independent"]
ALL = [*WHOLE, *(head + more for head in HEADS for more in ("", "+attention"))]
ALL += [head + more for head in HEADS if head not in READ_THE_PAST for more in ("+parallel", "+attention+parallel")]


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_trains_and_is_scored_exactly(name: str) -> None:
    """Every combination must train, and its likelihoods must be those of a distribution."""
    learned, valid = rolls(6), rolls(3, seed=1)
    recipe = recipe_of(name, learned)
    trained = train(recipe, learned, valid, seed=0, progress=False)
    assert len(trained.history.epochs) == recipe.epochs
    assert trained.num_parameters == sum(parameter.numel() for parameter in trained.model.parameters())
    scored = likelihood(trained.model, valid, input_frames=recipe.input_frames, target_frames=recipe.target_frames)
    assert math.isfinite(scored.nats)
    assert scored.num_frames == sum(map(len, valid))
    if name in WHOLE:  # the epoch is chosen by the reported score; windows count frames twice
        assert scored.nats == pytest.approx(min(trained.history.valid_losses), abs=1e-4)
    # The probabilities of all frames that can follow some frames sum to the probability of these.
    frames = [np.array(frame, dtype=bool) for frame in product((False, True), repeat=PITCHES)]
    for past in (np.zeros((0, PITCHES), dtype=bool), valid[0].active[:7]):
        pieces = [np.concatenate([past, frame[None]]) for frame in frames]
        summed = np.logaddexp.reduce([total(trained.model, recipe, piece) for piece in pieces])
        given = total(trained.model, recipe, past) if len(past) else 0.0
        assert summed == pytest.approx(given, abs=1e-3)


@pytest.mark.parametrize("head", READ_THE_PAST)
def test_a_parallel_decoder_refuses_heads_that_read_past_frames(head: str) -> None:
    """It would train on frames that it does not know when it writes."""
    assert set(HEADS) == {"bernoulli", "nade", *READ_THE_PAST}
    with pytest.raises(SettingsError, match=r"writes all frames of a block at once.*Use Seq2SeqLSTM"):
        recipe_of(f"{head}+parallel", ()).model(LAYOUT)


def test_a_parallel_decoder_refuses_copy_heads() -> None:
    """They would be ignored in silence."""
    with pytest.raises(SettingsError, match="no copy heads"):
        encoder_decoder(parallel=True, num_copy_heads=2)


@pytest.mark.parametrize("make", [lambda pieces: recipe_of("copying", pieces), lambda _: recipe_of("nade", ())])
def test_the_same_seed_gives_the_same_model(make: Callable[[Sequence[PianoRoll]], Recipe], tmp_path: Path) -> None:
    """Scores must be reproducible, and an interrupted run must resume."""
    learned, valid = rolls(6), rolls(3, seed=1)
    losses = []
    for seed in (0, 0, 1):
        trained = train(make(learned), learned, valid, seed=seed, progress=False)
        losses.append(trained.history.valid_losses)
    assert losses[0] == losses[1] != losses[2]
    for _ in range(2):
        with JsonlTracker(tmp_path / "metrics.jsonl") as tracker:
            kept = train(
                make(learned), learned, valid, seed=0, checkpoint_dir=tmp_path, tracker=tracker, progress=False
            )
        assert kept.history.valid_losses == losses[0]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum("metrics" in line for line in lines) == len(losses[0])  # the second call trained nothing


def test_the_hyperparameters_of_copying_reach_the_model() -> None:
    """An ablation would compare a model with itself."""
    learned = rolls(6, pitches=20)
    chosen = {"channels": 9, "window": 5, "num_frames": 3, "decays": (0.5, 0.9), "num_scored_pitches": 7}
    own = {"hidden_size": 16, "num_copy_heads": 3, "dropout": 0.25, "input_dropout": 0.125, "input_noise": 0.1}
    recipe = copying(learned, **own, **chosen)
    layout = FrameLayout.of(learned[0], onsets=False)
    model = recipe.model(layout)
    assert isinstance(model, SequenceModel)
    settings = describe(model)["settings"]
    head = settings.pop("head")["settings"]
    assert settings == {"layout": describe(layout)} | own
    assert {name: head[name] for name in chosen} | {"decays": tuple(head["decays"])} == chosen
    assert (head["dropout"], head["num_candidates"], head["layout"]) == (0.25, 3, describe(layout))
    independent = describe(copying(learned, independent=True, **own, **chosen).model(layout))["settings"].pop("head")
    assert independent["class"].endswith("RelativeBernoulliHead")
    assert {name: independent["settings"][name] for name in ("channels", "dropout", "num_candidates")} == {
        "channels": 9,
        "dropout": 0.25,
        "num_candidates": 3,
    }


@pytest.mark.parametrize("large", [False, True])
def test_a_transformer_is_compared_with_as_many_weights(large: bool) -> None:
    """An advantage of one model would be that of its size."""
    learned = rolls(1, 200_000, pitches=20) if large else rolls(6, pitches=20)
    layout = FrameLayout.of(learned[0], onsets=False)
    models = [recipe.model(layout) for recipe in (copying(learned), transformer(learned))]
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in models]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


def test_a_transformer_is_compared_with_the_same_recipe() -> None:
    """An advantage of one model would be that of its head or its training."""
    learned = rolls(6, pitches=20)
    layout = FrameLayout.of(learned[0], onsets=False)
    chosen = {"channels": 48, "dropout": 0.25, "input_noise": 0.1, "num_copy_heads": 3, "weight_decay": 0.5}
    one, other = copying(learned, **chosen), transformer(learned, learning_rate=0.001, num_layers=2, **chosen)
    settings = [describe(recipe.model(layout))["settings"] for recipe in (one, other)]
    heads = [each.pop("head")["settings"] for each in settings]
    assert {name: heads[0][name] for name in heads[0] if name != "in_features"} == {
        name: heads[1][name] for name in heads[1] if name != "in_features"
    }
    assert settings[1] == settings[0] | {"hidden_size": 96, "num_layers": 2, "num_heads": 4}
    assert (other.learning_rate, other.weight_decay, other.epochs) == (0.001, 0.5, one.epochs)


def test_the_hyperparameters_of_copying_reach_the_training() -> None:
    learned = rolls(6, pitches=20)
    chosen = {"weight_decay": 0.5, "ema_decay": 0.75, "transposed_share": 0.25, "semitones": 2}
    recipe = copying(learned, max_frames_per_batch=28, repeats=3, steps=30, **chosen)
    assert (recipe.weight_decay, recipe.ema_decay) == (0.5, 0.75)
    examples, valid = recipe.examples(learned, True), recipe.examples(learned, False)
    assert examples.augmentation is not None
    assert (examples.augmentation.semitones, examples.augmentation.share) == ((-2, 2), 0.25)
    assert valid.augmentation is None
    assert (len(examples), len(valid)) == (9, 1)  # three repeats of three pairs of pieces; all six in one batch
    assert recipe.epochs == round(30 / 9)
    assert examples.num_target_frames == 3 * sum(map(len, learned))
    assert valid.num_target_frames == sum(map(len, learned))


def test_long_pieces_are_cut_for_training_only() -> None:
    """Attention over a long piece would take all memory; scores must be of whole pieces."""
    long = rolls(1, 5000)
    recipe = copying(long)
    examples, valid = recipe.examples(long, True), recipe.examples(long, False)
    assert max(examples.batch([index])[1].shape[1] for index in range(len(examples))) == 1024
    assert valid.batch([0])[1].shape[1] == 5000


def test_defaults_depend_on_the_size_of_the_set() -> None:
    """None means the default for a set of that size."""
    little, much, most = copying(rolls(2)), copying(rolls(1, 50_000)), copying(rolls(1, 200_000))
    expected = ((0.3, 0.05, 192, 96), (0.15, 0.0, 192, 96), (0.1, 0.0, 256, 128))
    for recipe, (dropout, input_dropout, hidden_size, channels) in zip((little, much, most), expected, strict=True):
        model = recipe.model(LAYOUT)
        assert isinstance(model, SequenceModel)
        settings = describe(model)["settings"]
        assert (settings["dropout"], settings["input_dropout"]) == (dropout, input_dropout)
        assert (settings["hidden_size"], settings["head"]["settings"]["channels"]) == (hidden_size, channels)
    assert (little.weight_decay, little.ema_decay) == (0.03, 0.995)
    assert (much.weight_decay, much.ema_decay) == (0.01, 0.99)


def test_the_hyperparameters_of_the_encoder_decoder_reach_the_model() -> None:
    learned = rolls(4, 20)
    chosen = {"hidden_size": 12, "num_layers": 2, "dropout": 0.25, "attention": True, "parallel": True}
    fitted = {"batch_size": 5, "learning_rate": 0.5, "weight_decay": 0.25, "ema_decay": None, "epochs": 7}
    recipe = encoder_decoder(head="nade", input_frames=8, target_frames=10, semitones=3, **chosen, **fitted)
    assert {name: getattr(recipe, name) for name in fitted} == fitted
    assert (recipe.input_frames, recipe.target_frames) == (8, 10)
    model = recipe.model(LAYOUT)
    assert isinstance(model, ParallelSeq2SeqLSTM)
    settings = describe(model)["settings"]
    expected = {"hidden_size": 12, "num_encoder_layers": 2, "num_decoder_layers": 2, "dropout": 0.25, "attention": True}
    expected |= {"block_frames": 10}
    assert {name: settings[name] for name in expected} == expected
    examples = recipe.examples(learned, True)
    assert (examples.input_frames, examples.target_frames) == (8, 10)
    assert examples.augmentation is not None
    assert examples.augmentation.semitones == (-3, 3)
    still = encoder_decoder(semitones=0, input_frames=8, target_frames=10).examples(learned, True)
    assert still.augmentation is None
    first = recipe.examples(learned, False).batch([0])
    assert not first[0].any()  # silence, so that the first frame is predicted too
    assert torch.equal(first[1][0].bool(), torch.from_numpy(learned[0].active[:10].copy()))


def test_weight_decay_acts_on_matrices_only() -> None:
    model = recipe_of("copying", rolls(2)).model(LAYOUT)
    assert isinstance(model, SequenceModel)
    decayed, others = adamw(model, 0.01, 0.5).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert all(parameter.ndim >= 2 for parameter in decayed["params"])
    assert all(parameter.ndim < 2 for parameter in others["params"])
    assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_active_columns() -> None:
    """Transposed music must be in the active columns, and silence must be no error."""
    active = np.zeros((3, 88), dtype=bool)
    silent = PianoRoll.from_active(active.copy(), grid=BeatGrid(1), pitches=PitchRange(21, 108))
    active[1, [30, 84]] = True
    roll = PianoRoll.from_active(active, grid=BeatGrid(1), pitches=PitchRange(21, 108))
    assert active_columns([silent, roll], margin=0) == (30, 85)
    assert active_columns([silent, roll], margin=6) == (24, 88)
    assert active_columns([silent], margin=6) == (0, 88)


# ------------------------------------------------------------------------------------ the benchmark


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    spec = spec_from_file_location("likelihood_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    sys.modules["likelihood_benchmark"] = loaded  # dataclasses look there
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules["likelihood_benchmark"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set like those of the benchmark; two test pieces are long enough to be continued."""
    folder = tmp_path_factory.mktemp("mdata")
    lengths = {"traindata": (12, 9, 14, 11), "validdata": (8, 10), "testdata": (70, 9, 65)}
    rng = np.random.default_rng(0)
    contents = {}
    for key, of_pieces in lengths.items():
        contents[key] = np.empty((1, len(of_pieces)), dtype=object)
        for index, length in enumerate(of_pieces):
            contents[key][0, index] = np.zeros((length, 88), dtype=np.uint8)
            contents[key][0, index][:, 36:48] = rng.random((length, 12)) < 0.2
    scipy.io.savemat(folder / "JSB_Chorales.mat", contents)
    return folder


def command(monkeypatch: pytest.MonkeyPatch, benchmark: ModuleType, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["likelihood.py", *map(str, arguments)])
    benchmark.main()


def test_the_benchmark_trains_scores_and_writes_music(
    tmp_path: Path,
    data: Path,
    benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Hours of training would give no table, or be repeated for it."""
    chosen = ("hidden_size=8", "num_copy_heads=1", "channels=8", "window=2", "num_frames=1", "steps=2", "repeats=1")
    given = ("--data", data, "--recipes", "copying", "--seeds", "2", "--output", tmp_path, "--music", "--set", *chosen)
    monkeypatch.setattr(benchmark, "CONTINUATIONS", 3)  # of two pieces: two of each
    command(monkeypatch, benchmark, *given)
    label = f"copying, {', '.join(chosen)}"
    printed = capsys.readouterr().out
    assert "jsb: test nats per frame" in printed
    assert "BALSTM (Johnson, 2017), exact                   5.05" in printed
    assert printed.count("4 continuations") == 2  # of each seed
    folder = tmp_path / "jsb" / label.replace(", ", ",")
    (result,) = (json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("jsb-*.json"))
    figures = [json.loads((folder / f"seed-{seed}" / "figures.json").read_text(encoding="utf-8")) for seed in (0, 1)]
    assert result["rows"] == {label: figures}
    row = next(line for line in printed.splitlines() if line.startswith(f"{label} "))
    mixture = result["mixtures"][label]
    mean = np.mean([one["test"] for one in figures])
    assert f"{mean:.3f}" in row
    assert f"{mixture:.3f}" in row
    assert mixture <= mean
    assert figures[0]["test"] != figures[1]["test"]
    # The likelihood is that of all frames of the test pieces, over 88 pitches.
    pieces = benchmark.SETS["jsb"].read(data).test
    again = likelihood(benchmark.load(folder / "seed-0" / "best.safetensors"), pieces)
    assert (again.num_frames, again.nats) == (144, pytest.approx(figures[0]["test"], abs=1e-4))
    written = sorted((folder / "music-1").glob("*.mid"))
    assert [path.name for path in written] == ["jsb-test-0.mid", "jsb-test-2.mid"]
    assert all(len(read_midi(path).notes) > 0 for path in written)
    assert len(result["music"][label]) == 2

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(benchmark, "train", never)
    command(monkeypatch, benchmark, *given)
    second = capsys.readouterr().out
    assert row in second
    assert benchmark.recipe_of("copying", pieces, {"hidden_size": 8}).name == "copying"


def test_the_benchmark_knows_every_recipe(benchmark: ModuleType) -> None:
    for name in ALL:
        chosen = {"steps": 1} if name in WHOLE else {"epochs": 1}
        recipe = benchmark.recipe_of(name, rolls(2), chosen)
        assert recipe.epochs == 1
        assert recipe.name == recipe_of(name, rolls(2)).name
