"""The commands with models and files of several parts, drums and velocities."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Run

from pianoroll_seq2seq import (
    FrameLayout,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    TrainedModel,
    open_model,
    read_midi,
)

PARTS = (
    Part("melody", 73, pitches=PitchRange(60, 72)),
    Part("bass", 32, pitches=PitchRange(36, 48)),
    Part("kit", drums=True, pitches=PitchRange(35, 42)),
)


def _song(seed: int = 0, *, frames: int = 64) -> PianoRoll:
    """Music of three parts, whose notes have different velocities."""
    random = np.random.default_rng(seed)
    active = random.random((frames, sum(len(part.pitches) for part in PARTS))) < 0.1
    active[0, [0, 13, 26]] = True
    onset = active & ~np.roll(active, 1, axis=0)
    onset[0] = active[0]
    velocity = onset * random.integers(30, 120, onset.shape)
    return PianoRoll(active, onset, parts=PARTS, velocity=velocity)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of three parts, with velocities."""
    torch.manual_seed(0)
    layout = FrameLayout.of(_song(), velocity=True)
    trained = TrainedModel(Seq2SeqLSTM(layout, hidden_size=8), layout)
    return trained.save_pretrained(tmp_path_factory.mktemp("models") / "band")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return _song().to_midi(tmp_path / "song.mid")


def _read(path: Path) -> PianoRoll:
    return PianoRoll.from_midi(path, parts=PARTS)


def test_a_primer_of_several_tracks(run: Run, model: Path, song: Path, tmp_path: Path) -> None:
    """The parts of the primer end up in one part, as a piano, or all equally loud."""
    out = tmp_path / "more.mid"
    given = ("generate", "--model", model, "--primer", song, "--primer-frames", 32, "--num-frames", 16)
    done = run(*given, "--output", out)
    assert done.code == 0, done.err
    music = _read(out)
    assert music[:32] == _song()[:32]
    assert len(music) == 48
    assert [(part.name, part.program, part.drums) for part in read_midi(out).parts] == [
        ("melody", 73, False),
        ("bass", 32, False),
        ("kit", 0, True),
    ]
    trained = open_model(model)
    continued = trained.generate(trained.read_primer(song, num_frames=32), num_frames=16)
    assert music[32:].onset.sum() == continued.onset.sum()


def test_programs_and_velocities_of_ones_own(run: Run, model: Path, song: Path, tmp_path: Path) -> None:
    """Options are of no effect, or the drums become a flute."""
    given = ("generate", "--model", model, "--primer", song, "--primer-frames", 32, "--num-frames", 4)
    out = tmp_path / "soft.mid"
    assert run(*given, "--velocity", 33, "--program", 0, "--output", out).code == 0
    score = read_midi(out)
    assert set(score.notes.velocity.tolist()) == {33}
    assert [(part.program, part.drums) for part in score.parts] == [(0, False), (0, False), (0, True)]
    for option, value in (("--velocity", 0), ("--velocity", 128), ("--program", 128), ("--program", 1.5)):
        assert option in run(*given, option, value, "--output", tmp_path / "wrong.mid").refused()


def test_a_model_of_velocities_begins_from_silence(run: Run, model: Path, tmp_path: Path) -> None:
    """Silence has no velocities, so it is no primer for such a model."""
    out = tmp_path / "new.mid"
    done = run("generate", "--model", model, "--num-frames", 16, "--output", out)
    assert done.code == 0, done.err
    assert len(set(read_midi(out).notes.velocity.tolist())) > 3


def test_a_primer_without_the_parts(run: Run, model: Path, tmp_path: Path) -> None:
    """A song of one track is a traceback, or is taken as the melody."""
    song = _song()["melody"].to_midi(tmp_path / "one.mid")
    words = run("generate", "--model", model, "--primer", song, "--output", tmp_path / "x.mid").refused()
    assert "one.mid" in words
    assert "it needs tracks named melody, bass, kit" in words


def test_pictures_of_tracks(run: Run, song: Path, tmp_path: Path) -> None:
    """All tracks have one colour, or a part that is not there is a traceback."""
    pictures = [tmp_path / f"{name}.png" for name in ("whole", "tracks", "bass")]
    options = ((), ("--parts", "tracks"), ("--parts", "bass"))
    for path, option in zip(pictures, options, strict=True):
        done = run("render", song, "--output", path, *option)
        assert done.code == 0, done.err
    assert len({path.read_bytes() for path in pictures}) == 3
    wrong = run("render", song, "--output", tmp_path / "x.png", "--parts", "bass,viola").refused()
    assert "viola" in wrong
    assert "'melody'" in wrong
    assert "is for pictures" in run("render", song, "--output", tmp_path / "x.wav", "--parts", "tracks").refused()


def test_scores_of_notes_and_velocities_apart(run: Run, model: Path, tmp_path: Path) -> None:
    """One number mixes both, or the parts of the files are mixed up."""
    for seed in range(3):
        _song(seed).to_midi(tmp_path / "songs" / f"{seed}.mid")
    options = ("--input-frames", 16, "--target-frames", 16, "--continuations", 2)
    done = run("evaluate", tmp_path / "songs", "--model", model, *options, "--json").json
    whole = done["likelihood"]
    assert 0 < whole["note_nats"] < whole["nats"]
    assert set(whole["velocities"]) == {"melody", "bass", "kit"}
    assert set(done["windows"]["velocities"]) == {"melody", "bass", "kit"}
    counted = sum(scores["num_notes"] for scores in whole["velocities"].values())
    assert counted == sum(int(_song(seed).onset.sum()) for seed in range(3))
    assert {"mean_velocity", "repeated_notes", "median_note_beats"} <= set(done["music"]["metrics"])
    assert 0 <= done["music"]["velocity_overlap"] <= 1


def test_inspect_lists_the_parts(run: Run, song: Path) -> None:
    """One does not learn which names ``--parts`` takes."""
    listed = run("inspect", song).out
    for name, program in (("melody", "73"), ("bass", "32"), ("kit", "drums")):
        (line,) = (line for line in listed.splitlines() if line.endswith(f" {name}"))
        assert program in line.split()
