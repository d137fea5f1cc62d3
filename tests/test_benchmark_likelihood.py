"""The data sets with parts of the likelihood benchmark, its recipes for them, and its baselines, on tiny files."""

import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pianoroll_seq2seq import BeatGrid, FrameLayout, Part, PianoRoll, PitchRange, likelihood
from pianoroll_seq2seq.checkpoint import describe, load
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel

ROOT = Path(__file__).resolve().parent.parent
VOICES = ("soprano", "alto", "tenor", "bass")
TRACKS = ("MELODY", "BRIDGE", "PIANO")
TINY = ("hidden_size=8", "num_copy_heads=1", "channels=8", "steps=2")
Command = Callable[..., str]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark. Two songs are held out for its test, and one for validation."""
    monkeypatch.delenv("PIANOROLL_SEQ2SEQ_DATA", raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    sets = importlib.import_module("likelihood_sets")
    monkeypatch.setattr(sets, "TEST_SONGS", 2)
    monkeypatch.setattr(sets, "VALID_SONGS", 1)
    return importlib.import_module("likelihood")


@pytest.fixture
def command(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the benchmark, and returns what it prints."""

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["likelihood.py", *map(str, arguments)])
        benchmark.main()
        return capsys.readouterr().out

    return run


def chorale(num_frames: int, seed: int) -> list[list[int]]:
    """The pitches of four voices that move by steps and rest at times."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-1, 2, size=(num_frames, 4)).cumsum(axis=0).clip(-3, 3)
    pitches = steps + np.array([72, 67, 60, 50])
    return np.where(rng.random(pitches.shape) < 0.1, -1, pitches).tolist()


def write_chorales(folder: Path, **pieces: object) -> Path:
    """A file of chorales, with the given ones in place of the random ones."""
    first = [[75, 70, 63, 53], [69, 64, 57, 47]]  # all ranges
    contents: dict[str, object] = {
        "train": [first, *(chorale(9 + number, number) for number in range(5))],
        "valid": [chorale(8, 10), chorale(12, 11)],
        "test": [chorale(10, 20), chorale(7, 21)],
    }
    (folder / "Jsb16thSeparated.json").write_text(json.dumps(contents | pieces), encoding="utf-8")
    return folder


def write_songs(folder: Path, count: int = 6, num_frames: int = 40) -> Path:
    """Songs of three tracks in which velocities differ, played a little after the grid."""
    for number in range(count):
        rng = np.random.default_rng(number)
        tracks = {}
        for track, middle in zip(TRACKS, (70, 60, 48), strict=True):
            notes = np.zeros((num_frames, 12), dtype=bool)
            notes[np.arange(num_frames), rng.integers(12, size=num_frames)] = rng.random(num_frames) < 0.7
            notes[0, number % 12] = True
            velocity = (notes * rng.integers(40, 100, size=notes.shape)).astype(np.uint8)
            pitches = PitchRange(middle, middle + 11)
            tracks[track] = PianoRoll(notes, notes, BeatGrid(4), pitches, velocity=velocity)
        PianoRoll.stack(tracks).to_midi(folder / f"{number:03}.mid")
    return folder


def test_chorales_are_read_by_voice(benchmark: ModuleType, tmp_path: Path) -> None:
    """A voice gets the notes or the range of another, or the split is not that of the file."""
    split = benchmark.SETS["jsb16"].read(write_chorales(tmp_path))
    contents = json.loads((tmp_path / "Jsb16thSeparated.json").read_text(encoding="utf-8"))
    assert split.train[0].part_names == VOICES
    ranges = [(part.pitches.lowest, part.pitches.highest) for part in split.train[0].parts]
    assert ranges == [(69 - 5, 75 + 5), (64 - 5, 70 + 5), (57 - 5, 63 + 5), (47 - 5, 53 + 5)]
    for name, rolls in split._asdict().items():
        assert len(rolls) == len(contents[name])
        for roll, rows in zip(rolls, contents[name], strict=True):
            assert roll.grid == BeatGrid(4)
            for voice, pitches in zip(VOICES, np.array(rows).T, strict=True):
                active = roll[voice].active
                lowest = roll[voice].pitches.lowest
                sung = np.where(active.any(axis=1), lowest + active.argmax(axis=1), -1)
                assert sung.tolist() == pitches.tolist()
                assert active.sum() == (pitches >= 0).sum()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ([[[72, 67, 60, 50], [72, 67, 60, 99]]], r"jsb16/test/0: the bass leaves .*the range in the training pieces"),
        ([[[72, 67, 60]]], r"Jsb16thSeparated.json.*\$\.test\[0\]\[0\]|Jsb16thSeparated.json.*test"),
        ([[[72, 67, 60, 128]]], r"Jsb16thSeparated.json.*127"),
        ([[]], r"Jsb16thSeparated.json"),
    ],
)
def test_other_chorales_are_refused(benchmark: ModuleType, tmp_path: Path, test: object, message: str) -> None:
    """A wrong file gives a traceback, or figures of other music."""
    with pytest.raises(SettingsError, match=message):
        benchmark.SETS["jsb16"].read(write_chorales(tmp_path, test=test))


def test_the_data_is_found_or_the_error_says_where_it_is_sought(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without the files gets a traceback, or the given folder loses against the environment."""
    read = benchmark.SETS["jsb16"].read
    with pytest.raises(SettingsError, match=r"--data FOLDER, or from the folder jsb16 in PIANOROLL_SEQ2SEQ_DATA"):
        read(None)
    with pytest.raises(SettingsError, match="nowhere is no folder"):
        benchmark.SETS["pop909"].read(tmp_path / "nowhere")
    (tmp_path / "jsb16").mkdir()
    write_chorales(tmp_path / "jsb16")
    write_chorales(tmp_path, test=[chorale(6, 30)])
    monkeypatch.setenv("PIANOROLL_SEQ2SEQ_DATA", str(tmp_path))
    assert (len(read(None).test), len(read(tmp_path).test)) == (2, 1)


def test_songs_are_split_in_order_of_their_names(benchmark: ModuleType, tmp_path: Path) -> None:
    """Songs of the test are trained on, a part has notes of another, or velocities are lost."""
    split = benchmark.SETS["pop909"].read(write_songs(tmp_path))
    assert [[roll.name for roll in rolls] for rolls in split] == [["000", "001", "002"], ["003"], ["004", "005"]]
    for roll in split.test:
        own = PianoRoll.from_midi(tmp_path / f"{roll.name}.mid", grid=BeatGrid(4, offset="auto"), parts=list(TRACKS))
        assert roll.part_names == TRACKS
        assert all(np.array_equal(mine, read) for mine, read in zip(roll.notes(), own.notes(), strict=True))
    for path in sorted(tmp_path.glob("*.mid"))[3:]:
        path.unlink()
    with pytest.raises(SettingsError, match=r"has 3 songs, but 3 of them are held out"):
        benchmark.SETS["pop909"].read(tmp_path)
    (tmp_path / "000.mid").write_bytes(b"no music")
    with pytest.raises(PianoRollSeq2SeqError, match=r"1 files cannot be read; the first is 000\.mid"):
        benchmark.SETS["pop909"].read(tmp_path)


def test_chorales_are_trained_and_scored(command: Command, benchmark: ModuleType, tmp_path: Path) -> None:
    """Hours of training would give no table, or figures that are not the model's likelihood."""
    write_chorales(tmp_path)
    given = ("--dataset", "jsb16", "--data", tmp_path, "--seeds", "2", "--output", tmp_path, "--set", *TINY)
    printed = command(*given)
    label = f"monophonic, {', '.join(TINY)}"
    row = next(line for line in printed.splitlines() if line.startswith(label)).removeprefix(label).split()
    (result,) = (json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("jsb16-*.json"))
    runs = result["rows"][label]
    assert [float(cell) for cell in row[:3]] == pytest.approx(
        [np.mean([one["test"] for one in runs]), *sorted(one["test"] for one in runs)], abs=1e-3
    )
    assert "velocities" not in printed
    assert all(one["cpu_seconds"] > 0 for one in runs)
    model = load(tmp_path / "jsb16" / label.replace(", ", ",") / "seed-1" / "best.safetensors")
    assert isinstance(model, SequenceModel)
    split = benchmark.SETS["jsb16"].read(tmp_path)
    assert [likelihood(model, rolls).nats for rolls in (split.valid, split.test)] == pytest.approx(
        [runs[1]["valid"], runs[1]["test"]], abs=1e-4
    )


def test_songs_are_trained_scored_and_continued(
    command: Command, benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nats of notes and of velocities are mixed up, or the baselines are those of another part."""
    monkeypatch.setattr(benchmark, "CONTINUATIONS", 2)
    short = replace(benchmark.SETS["pop909"], primer=4, continuation=8)
    monkeypatch.setitem(benchmark.SETS, "pop909", short)
    songs = tmp_path / "songs"
    songs.mkdir()
    given = ("--dataset", "pop909", "--data", write_songs(songs), "--seeds", "2", "--output", tmp_path, "--music")
    printed = command(*given, "--set", *TINY, "max_piece_frames=16")
    label = f"velocity, {', '.join(TINY)}, max_piece_frames=16"
    (result,) = (json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("pop909-*.json"))
    split = short.read(songs)
    for one in result["rows"][label]:
        for name, rolls in (("valid", split.valid), ("test", split.test)):
            scores = one[f"{name}_velocities"]
            counts = {part: sum(len(roll[part].notes().pitch) for roll in rolls) for part in TRACKS}
            assert {part: values["num_notes"] for part, values in scores.items()} == counts
            of_velocities = sum(values["nats"] * values["num_notes"] for values in scores.values())
            frames = sum(map(len, rolls))
            assert one[f"{name}_notes"] + of_velocities / frames == pytest.approx(one[name], abs=1e-4)
    sections = printed.split("velocities of the test pieces, per note")[1]
    for part in TRACKS:
        baseline = result["velocity_baselines"][part]
        lines = sections[sections.index(f"{part}, {baseline['num_notes']} notes") :].splitlines()
        assert lines[1].split()[-2:] == [
            f"{baseline['unigram_nats']:.3f}",
            f"{baseline['training_median_error']:.2f}",
        ]
        model = np.mean([one["test_velocities"][part]["nats"] for one in result["rows"][label]])
        assert lines[4].split()[-3:-1] == [f"{model:.3f}", f"{1 - model / baseline['unigram_nats']:.1%}"]
    assert "of velocities" in printed  # the overlap of the continuations' velocities
    written = sorted((tmp_path / "pop909" / label.replace(", ", ",") / "music-1").glob("*.mid"))
    assert [path.name for path in written] == ["004.mid", "005.mid"]
    assert PianoRoll.from_midi(written[0], parts="tracks").part_names == TRACKS


def test_baselines_of_velocities(benchmark: ModuleType) -> None:
    """A model is compared with wrong figures."""
    rng = np.random.default_rng(0)
    parts = (Part("high", pitches=PitchRange(60, 63)), Part("low", pitches=PitchRange(40, 42)))

    def piece(share: float = 0.4) -> PianoRoll:
        struck = rng.random((9, 7)) < share
        velocity = (struck * rng.integers(1, 128, size=struck.shape)).astype(np.uint8)
        return PianoRoll(struck, struck, velocity=velocity, parts=parts)

    train, test = [piece(), piece()], [piece(), piece(share=0.0), piece()]
    found = benchmark.velocity_baselines(train, test)
    for part in ("high", "low"):

        def played(rolls: Sequence[PianoRoll], part: str = part) -> list[list[int]]:
            planes = [roll[part].velocity for roll in rolls]
            return [[] if plane is None else plane[plane > 0].tolist() for plane in planes]  # by frame, then by pitch

        known = [velocity for notes in played(train) for velocity in notes]
        median = float(np.median(known))
        nats, errors = [], []
        for piece_notes in played(test):
            before = median
            for velocity in piece_notes:
                nats.append(-np.log((known.count(velocity) + 0.1) / (len(known) + 12.7)))
                own = float(np.median(piece_notes))
                errors.append([abs(velocity - guess) for guess in (median, before, own)])
                before = velocity
        scores = found[part]
        assert scores.num_notes == len(nats)
        assert scores.unigram_nats == pytest.approx(np.mean(nats))
        assert [
            scores.training_median_error,
            scores.previous_error,
            scores.piece_median_error,
        ] == pytest.approx(np.mean(errors, axis=0).tolist())


def test_the_hyperparameters_reach_the_models(benchmark: ModuleType) -> None:
    """An ablation would compare a model with itself."""
    parts = tuple(Part(name, pitches=PitchRange(50, 60)) for name in VOICES)
    struck = np.eye(12, 44, dtype=bool)
    roll = PianoRoll(struck, struck, velocity=struck.astype(np.uint8) * 64, parts=parts)
    trunk = {"hidden_size": 12, "num_copy_heads": 2, "dropout": 0.25, "input_dropout": 0.125}
    fitted = {"weight_decay": 0.5, "ema_decay": 0.75, "learning_rate": 0.125}
    of_head = {"channels": 9, "num_layers": 2, "order": ["bass", "alto", "tenor", "soprano"]}
    recipe = benchmark.recipe_of("monophonic", [roll], {**trunk, **fitted, **of_head, "input_noise": 0.1})
    settings = describe(recipe.model(FrameLayout.of(roll, onsets=False)))["settings"]
    assert {name: settings[name] for name in (*trunk, "input_noise")} == {**trunk, "input_noise": 0.1}
    assert {name: settings["head"]["settings"][name] for name in of_head} == of_head
    assert {name: getattr(recipe, name) for name in fitted} == fitted
    assert recipe.examples([roll], True).layout.planes == ("active",)

    of_head = {"channels": 9, "bins": 16, "detach": False}
    recipe = benchmark.recipe_of("velocity", [roll] * 3, {**trunk, **fitted, **of_head, "inner": "nade"})
    examples = recipe.examples([roll] * 3, True)
    assert examples.layout.has_velocity
    settings = describe(recipe.model(examples.layout))["settings"]
    assert {name: settings[name] for name in trunk} == trunk
    assert {name: settings["head"]["settings"][name] for name in of_head} == of_head
    assert settings["head"]["settings"]["inner"]["class"].endswith("NADEHead")
    alone = benchmark.recipe_of("velocity", [roll], {"velocities": False}).examples([roll], True)
    assert alone.layout.planes == ("active", "onset")
    cut = benchmark.recipe_of("velocity", [roll], {"max_piece_frames": 5, "max_frames_per_batch": 5})
    assert (len(cut.examples([roll], True)), len(cut.examples([roll], False))) == (3, 1)


@pytest.mark.parametrize("name", ["copying", "copying+independent", "bernoulli"])
def test_other_recipes_take_parts(benchmark: ModuleType, tmp_path: Path, name: str) -> None:
    """A recipe for music of one part fails, or loses the parts, on a set that has several."""
    split = benchmark.SETS["jsb16"].read(write_chorales(tmp_path))
    whole = name.startswith("copying")
    small = {"hidden_size": 8} | (
        {"channels": 8, "num_copy_heads": 1} if whole else {"input_frames": 4, "target_frames": 2}
    )
    recipe = benchmark.recipe_of(name, split.train, small)
    for rolls, training in ((split.train, True), (split.valid, False)):
        examples = recipe.examples(rolls, training)
        assert examples.layout.parts == split.train[0].parts
        assert examples.batch([0])[1].shape[2] == split.train[0].plane_size
    scored = benchmark.score(recipe, recipe.model(examples.layout), split.valid)
    assert 0 < scored.nats < 200
