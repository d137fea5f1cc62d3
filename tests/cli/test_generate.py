"""``generate``: new music from a trained model."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from command_line import SMALL, SMALL_MODEL, Run

from pianoroll_seq2seq import BeatGrid, PianoRoll, PitchRange, SecondsGrid, TempoMap
from pianoroll_seq2seq.cli import generate as command
from pianoroll_seq2seq.cli.lengths import Length
from pianoroll_seq2seq.cli.scales import pitch_classes_of
from pianoroll_seq2seq.datasets.scale_chords import ROOTS, SCALES
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trained import DEFAULT_MODEL


def roll(path: Path, grid: BeatGrid = BeatGrid(4)) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=grid, pitches=PitchRange(0, 127))


def test_from_silence_and_from_a_primer(run: Run, midi: Path, small_run: Path, tmp_path: Path) -> None:
    """The primer is missing, cut elsewhere, or the same seed gives other music."""
    song = midi / "scale_c_major_pentatonic.mid"
    given = ("generate", "--model", small_run, "--primer", song, "--primer_beats", 5, "--beats", 12)
    done = run(*given, "--output", tmp_path / "a.mid", tmp_path / "a.png", "--json").json
    assert done["pieces"][0]["frames"] == 4 * (5 + 12)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    whole = roll(tmp_path / "a.mid")
    assert np.array_equal(whole.active[:20], roll(song).active[:20])
    assert run(*given, "--output", tmp_path / "b.mid").code == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert run(*given, "--seed", 1, "--output", tmp_path / "c.mid").code == 0
    assert (tmp_path / "a.mid").read_bytes() != (tmp_path / "c.mid").read_bytes()
    assert run(*given, "--only_new", "--output", tmp_path / "d.mid").code == 0
    assert len(roll(tmp_path / "d.mid")) <= 48
    silent = run(
        "generate", "--model", small_run, "--seconds", 6, "--bpm", 60, "--output", tmp_path / "e.mid", "--json"
    )
    assert silent.json["pieces"][0] | {"files": (), "notes": 0} == {
        "files": (),
        "notes": 0,
        "seconds": 6.0,
        "frames": 24,
    }


def test_several_pieces_in_a_scale(run: Run, small_run: Path, tmp_path: Path) -> None:
    """Pieces overwrite each other, or wander out of the scale."""
    given = ("generate", "--model", small_run, "--frames", 40, "--count", 3, "--scale", "Eb minor", "--temperature", 2)
    done = run(*given, "--output", tmp_path / "x.mid")
    assert done.code == 0
    assert [line.partition(":")[0] for line in done.out.splitlines()] == [
        str(tmp_path / f"x-{number}.mid") for number in (1, 2, 3)
    ]
    for number in (1, 2, 3):
        pitches = np.flatnonzero(roll(tmp_path / f"x-{number}.mid").active.any(axis=0))
        assert set(pitches % 12) <= set(pitch_classes_of("Eb minor"))
    assert "x-1.mid exists already" in run(*given, "--output", tmp_path / "x.mid").refused()
    assert run(*given, "--output", tmp_path / "x.mid", "--overwrite").code == 0


def test_a_model_that_is_told_the_scale(run: Run, midi: Path, tmp_path: Path) -> None:
    """A model of conditions cannot be used from the command line."""
    told = ("--condition", "scale", "--model.condition_dropout", 0.1)
    assert run("train", "--data", midi, *SMALL, *SMALL_MODEL, *told, "--output", tmp_path / "run").code == 0
    given = ("generate", "--model", tmp_path / "run", "--beats", 8)
    assert run(*given, "--condition", "C major", "--output", tmp_path / "named.mid").code == 0
    numbers = (1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1)
    assert run(*given, "--condition", *numbers, "--output", tmp_path / "numbers.mid").code == 0
    assert (tmp_path / "named.mid").read_bytes() == (tmp_path / "numbers.mid").read_bytes()
    assert "told 12 numbers" in run(*given, "--condition", 1, 0, "--output", tmp_path / "c.mid").refused()
    scored = run("evaluate", midi, "--model", tmp_path / "run", "--condition", "scale", "--continuations", 2, "--json")
    assert scored.json["likelihood"]["nats"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--output", "a.xyz"), ".mid, .midi, .wav"),
        (("--output", "a.mid", "a.mid"), "named twice"),
        (("--output", "."), "one of .mid"),
        (("--output", "file/a.mid"), "no folder that can be written to"),
        ((), "output"),
        (("--output", "a.mid", "--model", "nothing"), "no model there"),
        (("--output", "a.mid", "--primer", "nothing.mid"), "nothing.mid"),
        (("--output", "a.mid", "--primer", "file"), "file: not a MIDI file"),
        (("--output", "a.mid", "--beats", 4, "--frames", 4), "one number above 0"),
        (("--output", "a.mid", "--frames", -4), "one number above 0"),
        (("--output", "a.mid", "--seconds", 1e9), "more than"),
        (("--output", "a.mid", "--temperature", 0), "temperature"),
        (("--output", "a.mid", "--temperature", 2, "--threshold", 0.1), "Leave one of them out"),
        (("--output", "a.mid", "--count", 0), "count"),
        (("--output", "a.mid", "--scale", "H major"), "no scale that is known"),
        (("--output", "a.mid", "--condition", 1), "told no numbers"),
        (("--output", "a.mid", "--classes", "nothing.Model"), "no class nothing.Model"),
        (("--output", "a.mid", "--classes", "os.path.join"), "is no class"),
    ],
)
def test_mistakes(run: Run, small_run: Path, here: Path, options: tuple[object, ...], words: str) -> None:
    """A slip costs the time of writing, a file, or a traceback."""
    (here / "file").write_text("no music")
    model = () if "--model" in options else ("--model", small_run)
    assert words in run("generate", *model, *options).refused()
    assert [path.name for path in here.iterdir()] == ["file"]


def test_the_default_model_is_the_librarys() -> None:
    """The help names another model than the one that plays."""
    assert inspect.signature(command._options).parameters["model"].default == DEFAULT_MODEL


def test_lengths() -> None:
    """A minute of music lasts half a minute."""
    slow = TempoMap.from_bpm(60)
    assert Length(seconds=10).in_frames(BeatGrid(4), slow, after=7) == 40
    assert Length(beats=3).in_frames(SecondsGrid(0.02), slow) == 150
    assert Length(seconds=2).in_frames(SecondsGrid(0.02), slow, after=13) == 100
    changing = TempoMap(480, [(0, 1_000_000), (960, 500_000)])
    assert Length(seconds=3).in_frames(BeatGrid(4), changing) == 16
    assert Length(seconds=1e-9).in_frames(BeatGrid(4), slow) == 1
    assert not Length()
    for wrong in ({"frames": 0}, {"beats": float("nan")}, {"seconds": float("inf")}, {"frames": 1, "beats": 1}):
        with pytest.raises(SettingsError, match="A length is one number"):
            Length(**wrong)  # type: ignore[arg-type]


def test_scales_by_their_names() -> None:
    """F# is taken for F, or a name of the built-in pieces for none."""
    for semitones, root in enumerate(ROOTS):
        for name, steps in SCALES.items():
            wanted = tuple(sorted((semitones + step) % 12 for step in steps))
            assert pitch_classes_of(f"{root}_{name}") == wanted
            assert pitch_classes_of(f"{root.replace('sharp', '#').upper()} {name.replace('_', ' ')}") == wanted
    assert pitch_classes_of("Bb major") == pitch_classes_of("a# ionian")
    assert pitch_classes_of("B minor") == pitch_classes_of("b aeolian")
    for wrong in ("", "C", "major", "C# blues", "c major major"):
        with pytest.raises(SettingsError, match="no scale that is known"):
            pitch_classes_of(wrong)
