"""``fill``: a melody becomes a piece, and bars are written anew, by one command."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Run

from pianoroll_seq2seq import (
    FillingLSTM,
    FrameLayout,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    open_model,
    read_musicxml,
    save_pretrained,
)
from pianoroll_seq2seq.pretrained.pieces import read_piece

PARTS = (
    Part("soprano", 52, pitches=PitchRange(60, 79)),
    Part("alto", 52, pitches=PitchRange(53, 74)),
    Part("bass", 52, pitches=PitchRange(36, 64)),
)
LAYOUT = FrameLayout(parts=PARTS)


@pytest.fixture(scope="session")
def filling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained model that fills."""
    torch.manual_seed(0)
    model = FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead)
    return save_pretrained(model, tmp_path_factory.mktemp("models") / "filling", layout=LAYOUT)


def voice(*pitches: int) -> PianoRoll:
    active = np.zeros((4 * len(pitches), 128), dtype=bool)
    onset = active.copy()
    for beat, pitch in enumerate(pitches):
        active[4 * beat : 4 * beat + 4, pitch] = onset[4 * beat, pitch] = True
    return PianoRoll(active, onset, pitches=PitchRange(0, 127)).with_velocity(70)


@pytest.fixture
def melody(tmp_path: Path) -> Path:
    return voice(60, 62, 64, 65, 67, 65, 64, 62).to_midi(tmp_path / "melody.mid")


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    voices = {"soprano": voice(*[72] * 12), "alto": voice(*[65] * 12), "bass": voice(*[48] * 12)}
    return PianoRoll.stack(voices).to_midi(tmp_path / "piece.mid")


def read(path: Path) -> PianoRoll:
    return read_piece(path, LAYOUT)


def test_a_melody_is_harmonized_with_one_command(run: Run, filling: Path, melody: Path, here: Path) -> None:
    """A newcomer's first wish: a melody in, four voices out, to hear, to edit and to print."""
    done = run(
        "fill", melody, "--harmonize", "--model", filling, "--output", "out.mid", "out.musicxml", "out.wav", "--json"
    )
    assert [Path(name).suffix for name in done.json["pieces"][0]["files"]] == [".mid", ".musicxml", ".wav"]
    made = read(here / "out.mid")
    assert made["soprano"].notes().pitch.tolist() == [60, 62, 62, 64, 64, 65, 65, 67]
    assert made["alto"].active.any()
    assert [part.name for part in read_musicxml(here / "out.musicxml").parts] == ["soprano", "alto", "bass"]
    assert (here / "out.wav").read_bytes().startswith(b"RIFF")
    again = run(
        "fill", "out.musicxml", "--harmonize", "--track", "soprano", "--model", filling, "--output", "again.mid"
    )
    assert again.code == 0
    assert np.array_equal(read(here / "again.mid").active, made.active)


def test_takes_differ_and_are_numbered(run: Run, filling: Path, melody: Path, here: Path) -> None:
    """All takes are one, or a take cannot be had again."""
    given = ("fill", melody, "--harmonize", "--model", filling, "--output")
    assert run(*given, "take.mid", "--count", 3).code == 0
    takes = [read(here / f"take-{number}.mid") for number in (1, 2, 3)]
    assert takes[0] != takes[1] != takes[2]
    assert run(*given, "first.mid").code == 0
    assert read(here / "first.mid") == takes[0]
    assert run(*given, "other.mid", "--seed", 1, "--temperature", 0.8, "--scale", "C major").code == 0
    assert set((read(here / "other.mid").notes().pitch % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}


def test_bars_and_parts_are_written_anew(run: Run, filling: Path, piece: Path, here: Path) -> None:
    """Other bars or parts than those that were named are changed."""
    before = read(piece)
    given = ("fill", piece, "--model", filling, "--overwrite", "--output", "out.mid")

    def changed(*arguments: str) -> np.ndarray:
        assert run(*given, *arguments).code == 0
        made = read(here / "out.mid")
        same = made.active[: len(before)] == before.active[: len(made)]
        blocks = [~same[:, before.columns(name)].all(axis=1) for name in before.part_names]
        return np.stack([[block[bar * 16 : bar * 16 + 16].any() for block in blocks] for bar in range(3)])

    assert changed("--bars", "2").tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert changed("--bars", "2-3", "--parts", "alto").tolist() == [[False] * 3, *[[False, True, False]] * 2]
    assert changed("--bars", "1-1", "--given", "soprano, bass").tolist() == [[False, True, False], *[[False] * 3] * 2]
    assert changed("--given", "soprano").tolist() == [[False, True, True]] * 3
    assert changed("--parts", "bass").tolist() == [[False, False, True]] * 3


def test_parts_are_named_in_any_case(run: Run, filling: Path, piece: Path, here: Path) -> None:
    """The name as notation programs write it, ``Alto``, is unknown, or another part is written."""
    options = ("--model", filling, "--overwrite", "--output", "out.mid")
    for names in (("--parts", "Alto"), ("--given", "SOPRANO,Bass"), ("--vary", "2", "--parts", "Alto")):
        assert run("fill", piece, *names, *options).code == 0
        assert read(here / "out.mid")[["soprano", "bass"]] == read(piece)[["soprano", "bass"]]


def test_a_melody_alone_is_refused_with_the_option_for_it(run: Run, filling: Path, melody: Path, here: Path) -> None:
    """The message shows an empty name, or only names an argument of Python."""
    refused = run("fill", melody, "--bars", "2", "--model", filling, "--output", "out.mid").refused()
    assert "one track without a name" in " ".join(refused.split()), refused
    assert "--harmonize" in refused


def test_parts_that_are_written_may_be_missing(run: Run, filling: Path, piece: Path, here: Path) -> None:
    """A file with the soprano alone is refused for want of a bass that is to be written."""
    outer = read(piece)[["soprano", "bass"]].to_midi(here / "outer.mid")
    given = ("--model", filling, "--overwrite", "--output", "out.mid")
    assert run("fill", outer, "--parts", "alto", *given).code == 0
    assert read(here / "out.mid")[["soprano", "bass"]] == read(piece)[["soprano", "bass"]]
    tune = voice(64, 65).to_midi(here / "tune.mid")
    assert run("fill", tune, "--given", "alto", *given).code == 0
    assert read(here / "out.mid")["alto"].notes().pitch.tolist() == [64, 65]


def test_variations_keep_some_beats(run: Run, filling: Path, piece: Path, here: Path) -> None:
    """All takes keep the same beats, other bars are written anew, or the library varies other beats for the seed."""
    given = ("--model", filling, "--seed", 3, "--overwrite", "--output")
    done = run("fill", piece, "--vary", "2-3", "--parts", "alto,bass", "--strength", 0.4, "--count", 2, *given, "v.mid")
    assert done.code == 0, done.err
    before, takes = read(piece), [read(here / f"v-{number}.mid") for number in (1, 2)]
    for take in takes:
        assert take["soprano"] == before["soprano"]
        assert take[:16] == before[:16]
        same = (take["alto"].active == before["alto"].active).all(axis=1)[16:].reshape(-1, 4).all(axis=1)
        assert 1 < same.sum() < 8
    assert takes[0] != takes[1]
    model = open_model(filling)
    first = model.vary(piece, (2, 3), parts=("alto", "bass"), keep=0.6, seed=3)
    assert np.array_equal(takes[0].active, first.active)
    assert run("fill", piece, "--vary", "all", "--given", "alto", *given, "all.mid").code == 0
    assert read(here / "all.mid")["alto"] == before["alto"]
    whole = model.vary(piece, parts=("soprano", "bass"), seed=3)
    assert np.array_equal(read(here / "all.mid").active, whole.active)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Nothing is to be written. Add --harmonize for a melody, --given PARTS"),
        (("--harmonize", "--bars", "2"), "--harmonize writes all parts but the melody. Leave out --bars"),
        (("--given", "alto", "--parts", "bass"), "--given or --parts, not both"),
        (("--given", "tenor"), "--given: the model .* has no part 'tenor'. Its parts are 'soprano', 'alto', 'bass'"),
        (("--bars", "2-4"), "'piece' has 3 bars of 4/4"),
        (("--bars", "3-2"), "expected bars such as 5-8"),
        (("--bars", "two"), "expected bars such as 5-8"),
        (("--vary", "2-4"), "'piece' has 3 bars of 4/4"),
        (("--vary", "some"), "expected bars such as 5-8"),
        (("--vary", "2", "--bars", "3"), "--bars or --vary, not both"),
        (("--vary", "2", "--harmonize"), "Leave out --vary"),
        (("--vary", "2", "--parts", "tenor"), "no part 'tenor'"),
        (("--vary", "2", "--strength", "0"), "--strength must be above 0 and at most 1"),
        (("--bars", "2", "--strength", "0.5"), "--strength is for variations"),
        (("--harmonize",), "3 tracks have notes"),
        (("--harmonize", "--part", "tenor"), "no part 'tenor'"),
        (("--harmonize", "--track", "bass", "--octaves", "9"), "outside the range of soprano"),
        (("--harmonize", "--octaves", "some"), "expected auto or a whole number"),
        (("--bars", "2", "--scale", "H"), "unknown scale"),
        (("--bars", "2", "--condition", "1"), "takes no condition"),
    ],
)
def test_mistakes(run: Run, filling: Path, piece: Path, arguments: tuple[str, ...], message: str) -> None:
    """A mistake ends in a traceback, or names an argument of Python."""
    here = piece.parent
    if arguments == ("--harmonize",):
        roll = read(piece)
        piece = PianoRoll.stack({f"voice {n}": roll[name] for n, name in enumerate(roll.part_names)}).to_midi(
            here / "b.mid"
        )
    refused = run("fill", piece, *arguments, "--model", filling, "--output", here / "out.mid").refused()
    assert re.search(message, " ".join(refused.split())), refused
    assert not (here / "out.mid").exists()


def test_a_melody_is_placed_where_it_fits_and_says_so(run: Run, filling: Path, here: Path) -> None:
    """A whistled tune is refused, or moved without a word."""
    high = voice(84, 86).to_midi(here / "high.mid")
    given = ("fill", high, "--harmonize", "--model", filling, "--output")
    done = run(*given, "out.mid")
    assert "warning: 'high' is placed 1 octave lower" in done.err
    assert read(here / "out.mid")["soprano"].notes().pitch.tolist() == [72, 74]
    refused = run(*given, "no.mid", "--octaves", 0).refused()
    assert "Place it in another octave: --octaves auto" in refused
    chords = PianoRoll.stack({"a": voice(72, 74), "b": voice(76, 77)}).merged().to_midi(here / "chords.mid")
    refused = run("fill", chords, "--harmonize", "--model", filling, "--output", "no.mid").refused()
    assert "add --chords highest" in refused.lower()


def test_a_model_that_only_continues(run: Run, small_run: Path, melody: Path, here: Path) -> None:
    """It would write a continuation over the bars that were given."""
    refused = run("fill", melody, "--bars", 1, "--model", small_run, "--output", here / "out.mid").refused()
    assert "Seq2SeqLSTM only continues music" in refused
