"""``generate``: new music from a trained model."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from command_line import Run

from pianoroll_seq2seq import BeatGrid, NoteTable, PianoRoll, PitchRange, Score, TempoMap, write_midi
from pianoroll_seq2seq.cli import fill, live, submit_fill
from pianoroll_seq2seq.cli import generate as command
from pianoroll_seq2seq.cli.evaluate import EvaluateOptions
from pianoroll_seq2seq.cli.scales import pitch_classes_of
from pianoroll_seq2seq.data.datasets.scale_chords import COMMON_FIRST, ROOTS, SCALES
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pretrained.opening import DEFAULT_MODEL, READS_ANY


def roll(path: Path, grid: BeatGrid = BeatGrid(4)) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=grid, pitches=PitchRange(0, 127))


def test_from_silence_and_from_a_primer(run: Run, midi: Path, small_run: Path, tmp_path: Path) -> None:
    """The primer is missing, cut elsewhere, or the same seed gives other music."""
    song = midi / "scale_c_major_pentatonic.mid"
    given = ("generate", "--model", small_run, "--primer", song, "--primer-beats", 5, "--beats", 12)
    done = run(*given, "--output", tmp_path / "a.mid", tmp_path / "a.png", "--json").json
    assert done["pieces"][0]["num_frames"] == 4 * (5 + 12)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    whole = roll(tmp_path / "a.mid")
    assert np.array_equal(whole.active[:20], roll(song).active[:20])
    assert run(*given, "--output", tmp_path / "b.mid").code == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert run(*given, "--seed", 1, "--output", tmp_path / "c.mid").code == 0
    assert (tmp_path / "a.mid").read_bytes() != (tmp_path / "c.mid").read_bytes()
    assert run(*given, "--only-new", "--output", tmp_path / "d.mid").code == 0
    assert len(roll(tmp_path / "d.mid")) <= 48
    silent = run(
        "generate", "--model", small_run, "--seconds", 6, "--bpm", 60, "--output", tmp_path / "e.mid", "--json"
    )
    assert silent.json["pieces"][0] | {"files": (), "num_notes": 0, "metrics": {}} == {
        "files": (),
        "num_notes": 0,
        "seconds": 6.0,
        "num_frames": 24,
        "metrics": {},
    }


def test_several_pieces_in_a_scale(run: Run, small_run: Path, tmp_path: Path) -> None:
    """Pieces overwrite each other, or wander out of the scale."""
    given = (
        "generate",
        "--model",
        small_run,
        "--num-frames",
        40,
        "--count",
        3,
        "--scale",
        "Eb minor",
        "--temperature",
        2,
    )
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


def test_the_most_likely_frames_only(run: Run, small_run: Path, tmp_path: Path) -> None:
    """The option is ignored, or not beside a temperature and a scale."""
    arguments = ("generate", "--model", small_run, "--num-frames", 12, "--temperature", 1.5)
    written = []
    for number, options in enumerate([(), ("--top-p", 1), ("--top-p", 0.3), ("--top-p", 0.3, "--scale", "C major")]):
        output = tmp_path / f"{number}.mid"
        assert run(*arguments, *options, "--output", output).code == 0
        written.append(roll(output))
    assert written[1] != written[2] != written[0]
    pitches = np.flatnonzero(written[3].active.any(axis=0))
    assert set(pitches % 12) <= set(pitch_classes_of("C major"))


def test_a_model_with_a_condition(run: Run, midi: Path, scale_run: Path, tmp_path: Path) -> None:
    """A conditional model cannot be used from the command line."""
    arguments = ("generate", "--model", scale_run, "--beats", 8)
    assert run(*arguments, "--condition", "C major", "--output", tmp_path / "named.mid").code == 0
    numbers = (1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1)
    assert run(*arguments, "--condition", *numbers, "--output", tmp_path / "numbers.mid").code == 0
    assert (tmp_path / "named.mid").read_bytes() == (tmp_path / "numbers.mid").read_bytes()
    short = run(*arguments, "--condition", 1, -0.5, "--output", tmp_path / "c.mid").refused()
    assert "expects 12 finite numbers, got [1.0, -0.5]" in short
    scored = run("evaluate", midi, "--model", scale_run, "--condition", "scale", "--continuations", 2, "--json")
    assert scored.json["likelihood"]["nats"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--output", "a.xyz"), ".mid, .midi, .musicxml, .mxl, .svg, .pdf, .wav"),
        (("--output", "a.mid", "a.mid"), "named twice"),
        (("--output", "."), "one of .mid"),
        (("--output", "file/a.mid"), "not a folder that can be written to"),
        ((), "--output"),
        (("--output", "a.mid", "--model", "nothing"), "no such model"),
        (("--output", "a.mid", "--primer", "nothing.mid"), "nothing.mid"),
        (("--output", "a.mid", "--primer", "file"), "file: not a MIDI file"),
        (("--output", "a.mid", "--beats", 4, "--num-frames", 4), "--num-frames 4 and --beats 4.0"),
        (("--output", "a.mid", "--num-frames", -4), "--num-frames"),
        (("--output", "a.mid", "--seconds", 1e9), "frames; at most"),
        (("--output", "a.mid", "--temperature", 0), "--temperature"),
        (("--output", "a.mid", "--temperature", 2, "--threshold", 0.1), "--threshold 0.1 samples nothing"),
        (("--output", "a.mid", "--top-p", 0), "--top-p"),
        (("--output", "a.mid", "--top-p", 1.5), "--top-p"),
        (("--output", "a.mid", "--top-p", 0.5, "--threshold", 0.1), "so --top-p 0.5 has no effect"),
        (("--output", "a.mid", "--count", 0), "--count"),
        (("--output", "a.mid", "--scale", "H major"), "unknown scale 'H major'"),
        (("--output", "a.mid", "--condition", 1), "takes no condition"),
        (("--output", "a.mid", "--classes", "nothing.Model"), "no class nothing.Model"),
        (("--output", "a.mid", "--classes", "os.path.join"), "is not a class"),
    ],
)
def test_mistakes(run: Run, small_run: Path, here: Path, options: tuple[object, ...], words: str) -> None:
    """A slip costs the time of writing, a file, or a traceback."""
    (here / "file").write_text("no music")
    model = () if "--model" in options else ("--model", small_run)
    assert words in run("generate", *model, *options).refused()
    assert [path.name for path in here.iterdir()] == ["file"]


def test_every_command_has_a_default_model_of_the_library() -> None:
    """Two commands that write voices play with two models, or music of any kind is refused."""
    for call in (fill.fill, live.live, submit_fill.fill):
        assert inspect.signature(call).parameters["model"].default == DEFAULT_MODEL
    assert inspect.signature(EvaluateOptions).parameters["model"].default == READS_ANY
    assert inspect.signature(command.generate).parameters["model"].default is None  # by the primer


def test_any_music_is_continued_without_naming_a_model(run: Run, tmp_path: Path) -> None:
    """A piano piece in one track is refused, since the default model has four voices."""
    assert DEFAULT_MODEL in run("generate", "--beats", 4, "--output", tmp_path / "voices.mid").out
    primer = PianoRoll.from_active(np.eye(88, dtype=bool)[[40, 44, 47, 40]].repeat(8, axis=0))
    primer.to_midi(tmp_path / "song.mid")
    more = run("generate", "--primer", tmp_path / "song.mid", "--beats", 4, "--output", tmp_path / "more.mid")
    assert READS_ANY in more.out


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
        with pytest.raises(SettingsError, match="unknown scale"):
            pitch_classes_of(wrong)


def test_the_names_that_people_look_for_come_first() -> None:
    """A list of scales begins with modes that few know, and major is the eighth."""
    assert set(COMMON_FIRST) == set(SCALES)
    assert COMMON_FIRST[:2] == ("major", "minor")
    with pytest.raises(SettingsError, match="one of major, minor, harmonic minor, melodic minor, major pentatonic"):
        pitch_classes_of("H major")


def test_a_primer_begins_with_its_first_note(run: Run, small_run: Path, tmp_path: Path) -> None:
    """`--primer-beats 16` of a file that begins with silence is a silent primer."""
    onsets = [480 * (20 + beat) for beat in range(8)]
    notes = NoteTable(onsets, [onset + 480 for onset in onsets], [60, 62] * 4, [90] * 8, [0] * 8)
    song = write_midi(Score(notes, TempoMap(480)), tmp_path / "song.mid")
    arguments = ("generate", "--model", small_run, "--primer", song, "--beats", 4)
    done = run(*arguments, "--primer-beats", 4, "--output", tmp_path / "a.mid", "--json")
    assert done.json["pieces"][0]["num_frames"] == 4 * (4 + 4)
    assert "warning" not in done.err
    written = roll(tmp_path / "a.mid")
    assert np.flatnonzero(written.active[:16].any(axis=0)).tolist() == [60, 62]
    assert written.active[:16].any(axis=1).all()
    done = run(*arguments, "--primer-beats", 16, "--output", tmp_path / "b.mid", "--json")
    assert done.json["pieces"][0]["num_frames"] == 4 * (8 + 4)
    assert f"warning: {song}: the primer has 32 frames instead of 64" in done.err


def test_a_primer_with_notes_that_the_model_does_not_know(run: Run, small_run: Path, tmp_path: Path) -> None:
    """A primer loses notes in silence, or is refused without need."""
    onsets = [480 * beat for beat in range(8)]
    notes = NoteTable(onsets, [onset + 480 for onset in onsets], [60, 120] * 4, [90] * 8, [0] * 8)
    song = write_midi(Score(notes, TempoMap(480)), tmp_path / "song.mid")
    arguments = ("generate", "--model", small_run, "--primer", song, "--beats", 4)
    done = run(*arguments, "--output", tmp_path / "a.mid")
    assert done.code == 0
    assert f"warning: {song}: 4 of 8 notes are outside the model's pitches" in done.err
    refused = run(*arguments, "--outside", "error", "--output", tmp_path / "b.mid").refused()
    assert "4 of 8 notes are outside pitches" in refused
    assert "add --outside drop" in refused
