"""``--phrase-ends`` of ``fill`` and ``generate``."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Run

from pianoroll_seq2seq import (
    BeatGrid,
    FillingLSTM,
    FrameLayout,
    Given,
    JoinedConditions,
    MetricPosition,
    MonophonicHead,
    Part,
    PhraseEnds,
    PianoRoll,
    PitchRange,
    fill,
    generate,
    open_model,
    phrase_end_frames,
    save_pretrained,
)
from pianoroll_seq2seq.sampling.model_conditions import extended

SOURCE = JoinedConditions((MetricPosition(), PhraseEnds()))
PARTS = (Part("high", pitches=PitchRange(60, 72)), Part("low", pitches=PitchRange(40, 52)))
LAYOUT = FrameLayout(parts=PARTS, grid=BeatGrid(4))


def _model(folder: Path, source: JoinedConditions | MetricPosition) -> Path:
    torch.manual_seed(0)
    model = FillingLSTM(
        LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead, condition_source=source
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)  # far from equal probabilities, so that a condition is heard
    return save_pretrained(model, folder, layout=LAYOUT)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads where phrases end."""
    return _model(tmp_path_factory.mktemp("models") / "phrases", SOURCE)


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    """Four bars of 4/4 in two parts."""
    active = np.zeros((64, 26), dtype=bool)
    active[:, [4, 17]] = True
    return PianoRoll.from_active(active, parts=PARTS, grid=BeatGrid(4)).to_midi(tmp_path / "piece.mid")


def _read(path: Path) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=BeatGrid(4), parts=PARTS)


@pytest.mark.parametrize(
    ("option", "frames"), [(("--phrase-ends", "2,4"), [32, 64]), (("--phrase-end-beats", "7, 10.5"), [28, 42])]
)
def test_a_filling_reads_them(
    run: Run, model: Path, piece: Path, tmp_path: Path, *, option: tuple[str, str], frames: list[int]
) -> None:
    """The harmony of a hymn cannot be told where its lines end, or ends them elsewhere."""
    given = ("fill", piece, "--model", model, "--given", "high", "--seed", 3)
    assert run(*given, "--output", tmp_path / "without.mid").code == 0
    done = run(*given, *option, "--count", 2, "--output", tmp_path / "with.mid")
    assert done.code == 0, done.err
    roll, trained = _read(piece), open_model(model)
    expected = fill(
        trained.model, [roll] * 2, Given.parts("high"), seed=3, condition=[SOURCE(roll, phrase_ends=frames)] * 2
    )
    for number, one in enumerate(expected, start=1):
        assert np.array_equal(_read(tmp_path / f"with-{number}.mid").active, one.active)
    assert not np.array_equal(_read(tmp_path / "without.mid").active, expected[0].active)


@pytest.mark.parametrize("kept", [True, False])
def test_bars_are_those_of_the_file(run: Run, model: Path, piece: Path, tmp_path: Path, *, kept: bool) -> None:
    """The phrases end as many bars too early as the primer has, which is not in the file."""
    given = ("generate", "--model", model, "--primer", piece, "--primer-beats", 8, "--beats", 8, "--seed", 1)
    option = ("--phrase-ends", "3") if kept else ("--phrase-ends", "1", "--only-new")
    assert run(*given, *option, "--output", tmp_path / "out.mid").code == 0
    primer = _read(piece)[:32]
    condition = SOURCE(extended(primer, 32), phrase_ends=[48])
    trained = open_model(model)
    expected = generate(trained.model, primer, num_frames=32, seed=1, condition=condition, layout=LAYOUT)
    written = _read(tmp_path / "out.mid")
    assert np.array_equal(written.active[-32:], expected.active)
    assert len(written) == (64 if kept else 32)


def test_ends_are_the_same_in_bars_and_beats(piece: Path) -> None:
    """The two options mean different frames."""
    roll = _read(piece)
    assert phrase_end_frames(roll, bars=[1, 3]).tolist() == phrase_end_frames(roll, beats=[4, 12]).tolist()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--phrase-ends", "2,five"), "--phrase-ends 2,five: expected numbers with commas"),
        (("--phrase-ends", ""), "expected numbers with commas"),
        (("--phrase-ends", "1.5"), "such as 2,4,8"),
        (("--phrase-end-beats", "nan"), "such as 7,15,31.5"),
        (("--phrase-ends", "9"), "the bars of this roll are 1 to 4"),
        (("--phrase-ends", "2", "--phrase-end-beats", "4"), "--phrase-ends and --phrase-end-beats"),
        (("--phrase-ends", "2", "--condition", "C major"), "--phrase-ends and --condition"),
    ],
)
def test_ends_that_cannot_be(
    run: Run, model: Path, piece: Path, here: Path, *, options: tuple[str, ...], reason: str
) -> None:
    """A mistake is a traceback, or is not noticed."""
    refused = run("fill", piece, "--model", model, "--given", "high", *options, "--output", "out.mid").refused()
    assert reason in refused
    assert not (here / "out.mid").exists()


def test_a_model_that_does_not_read_them(run: Run, piece: Path, here: Path) -> None:
    """Phrase ends that have no effect look as if they had one."""
    model = _model(here / "metre", MetricPosition())
    refused = run(
        "fill", piece, "--model", model, "--given", "high", "--phrase-ends", "2", "--output", "x.mid"
    ).refused()
    assert "--phrase-ends: the model" in refused
    assert "does not read where phrases end" in refused
