"""The example scripts, run as a user runs them: one in a process of its own, the others in this one."""

import contextlib
import io
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from pianoroll_seq2seq import History, MetricPosition, open_model, read_midi
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

pytestmark = pytest.mark.usefixtures("one_thread")  # which also puts back the number that the scripts set


def run_process(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / script, *arguments], capture_output=True, text=True, check=False
    )


def run_example(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """As :func:`run_process`, without the seconds in which a process imports PyTorch."""
    output, errors, path = io.StringIO(), io.StringIO(), str(EXAMPLES / script)
    command = [path, *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "path", [str(EXAMPLES), *sys.path]),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as left,
    ):
        runpy.run_path(path, run_name="__main__")
    code = left.value.code
    return subprocess.CompletedProcess(
        command, code if isinstance(code, int) else 0, output.getvalue(), errors.getvalue()
    )


@pytest.fixture(scope="module")
def some_scales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scales of each natural root, to be quick."""
    folder = write_scale_chords(tmp_path_factory.mktemp("midi"))
    for path in folder.glob("*.mid"):
        if not path.stem.endswith(("_major", "_lydian")) or "sharp" in path.stem:
            path.unlink()
    return folder


def test_training_leaves_music_pictures_scores_and_a_model(some_scales: Path, tmp_path: Path) -> None:
    """The output folder lacks what the README promises, when some files of a folder are bad."""
    midi = tmp_path / "midi"
    shutil.copytree(some_scales, midi)
    (midi / "scale_empty.mid").write_bytes(b"")
    (midi / "scale_text.mid").write_text("not music")
    out = tmp_path / "out"
    command = ("train_scale_chords.py", "--midi-dir", midi, "--epochs", "1", "--output", out)
    first = run_process(*command)
    assert first.returncode == 0, first.stderr
    assert "not used: scale_empty.mid" in first.stdout
    assert "not used: scale_text.mid" in first.stdout
    assert "copy last" in first.stdout
    primer, whole = read_midi(out / "primer.mid"), read_midi(out / "generated.mid")
    assert len(whole.notes) > len(primer.notes) > 0
    assert (out / "generated.wav").read_bytes().startswith(b"RIFF")
    for picture in ("roll.png", "loss.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    assert len(History.load(out / "history.jsonl").epochs) == 1
    scores = json.loads((out / "scores.json").read_text())
    assert scores["test"]["num_frames"] > 0
    overlap = scores["summary"]["overlaps"]["note_lengths"]
    assert f"the lengths of its notes overlap those of the test pieces by {overlap:.0%}" in first.stdout
    layout = open_model(out).layout
    assert (layout.plane_size, layout.has_onsets) == (35, True)
    report = (out / "report.html").read_text(encoding="utf-8")
    assert all(words in report for words in ("copy last", "RelativeBernoulliHead", "audio/midi", "audio/wav"))

    music = (out / "generated.mid").read_bytes()
    again = run_example(*command)
    assert again.returncode == 0, again.stderr
    assert "resuming the run in" in again.stdout
    assert (out / "generated.mid").read_bytes() == music, "the same run must make the same music"

    other = run_example(*command, "--seed", "1")
    assert other.returncode == 2
    assert "Choose another --output" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.slow
def test_the_demo_sounds_like_its_pieces(tmp_path: Path) -> None:
    """The README's command makes music that glues repeated notes, leaves the scale, or predicts badly."""
    done = run_process("train_scale_chords.py", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["test"]["model"]["all"]["nats"] < 0.3
    assert scores["continuation"]["in_scale_share"] >= 0.95
    summary = scores["summary"]
    assert summary["overlaps"]["note_lengths"] >= 0.8
    assert summary["generated"]["repeated_notes"] == pytest.approx(summary["data"]["repeated_notes"], rel=1 / 3)


def test_the_preset_of_2017_runs(some_scales: Path, tmp_path: Path) -> None:
    """The article's configuration stays within reach."""
    done = run_example(
        "train_scale_chords.py",
        *("--preset", "azure-2017", "--midi-dir", some_scales, "--epochs", "1", "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_of_somebody_elses_files_is_left_alone(some_scales: Path, tmp_path: Path) -> None:
    """A mistyped --output must not cost a user their files."""
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run_example("train_scale_chords.py", "--midi-dir", some_scales, "--output", tmp_path)
    assert done.returncode == 2
    assert "not of a run" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]


def test_a_missing_folder_is_one_clear_line(some_scales: Path, tmp_path: Path) -> None:
    """No traceback for a mistyped path, and the corrected command is not refused for what the first one left."""
    done = run_example("train_scale_chords.py", "--midi-dir", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "nowhere: no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    nothing = run_example(
        "train_scale_chords.py", "--midi-dir", some_scales, "--epochs", "0", "--output", tmp_path / "out"
    )
    assert "epochs" in nothing.stderr  # read the folder, and did not refuse the output


@pytest.mark.parametrize("batch_sizes", [["64"], pytest.param(["32", "64"], marks=pytest.mark.slow)], ids=" ".join)
def test_runs_are_compared(some_scales: Path, tmp_path: Path, batch_sizes: list[str]) -> None:
    """The article's comparison lacks a row or a curve for a number of epochs and a batch size."""
    out = tmp_path / "compare"
    done = run_example(
        "compare_epochs.py",
        *("--midi-dir", some_scales, "--epochs", "1", "2", "--batch-sizes", *batch_sizes, "--output", out),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "comparison.json").read_text())["rows"]
    expected = [(epochs, size) for epochs in (1, 2) for size in batch_sizes]
    assert [(row["epochs"], row["run"].split()[-1]) for row in rows] == expected
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_music_in_a_scale(tmp_path: Path) -> None:
    """A model with the scale as its condition cannot be trained, or writes no music in the scale."""
    scales = ("--scale", "D major", "--scale", "0 2 4 7 9")
    done = run_example("condition_on_scale.py", "--epochs", "1", *scales, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nats per frame with the scale" in done.stdout
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[-2:]] == ["D major", "0 2 4 7 9"]
    assert {path.name for path in tmp_path.iterdir()} == {"D_major.mid", "0_2_4_7_9.mid"}
    assert "unknown scale 'H major'" in run_example("condition_on_scale.py", "--scale", "H major").stderr


# ---- The shipped models


def test_chorales_have_four_voices_their_metre_and_their_phrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped model learns five voices as four, or rests of an orchestra, or takes an upbeat for a downbeat."""
    pytest.importorskip("music21")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    script = runpy.run_path(str(EXAMPLES / "train_bach_chorales.py"), run_name="script")
    names = ["bwv269", "bwv153.1", "bwv339", "bwv27.6", "bwv248.23-2"]
    chorales = script["chorales"](names)
    rolls = {roll.name: roll for part in chorales.split for roll in part}
    assert sorted(rolls) == sorted(names[:3])  # the others have five voices, and an orchestra between the lines
    for roll in rolls.values():
        assert roll.part_names == ("soprano", "alto", "tenor", "bass")
        assert not any((roll[name].active.sum(axis=1) > 1).any() for name in roll.part_names)
        assert chorales.condition(roll).shape == (len(roll), script["SOURCE"].size)
    minuet = chorales.condition(rolls["bwv269"])
    assert minuet[:, 4].nonzero()[0][:3].tolist() == [4, 16, 28]  # after an upbeat, bars of three beats
    assert minuet[:, 8].nonzero()[0][:2].tolist() == [47, 83]
    assert (minuet[:, 10] == 1).all()


def test_tunes_are_one_voice_on_the_grid_with_their_metre(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped model learns tunes with rounded notes, two notes at once, or jigs as if they were reels."""
    pytest.importorskip("music21")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    script = runpy.run_path(str(EXAMPLES / "train_airds_airs.py"), run_name="script")
    names = ["aird-0001", "aird-0004", "aird-0011", "aird-0052"]
    rolls = {roll.name: roll for part in script["tunes"](names) for roll in part}
    assert sorted(rolls) == names[:3]  # the last one has triplets
    for roll in rolls.values():
        assert len(roll.parts) == 1
        assert roll.active.sum(axis=1).max() == 1
    jig = MetricPosition()(rolls["aird-0004"])
    assert jig[:, 4].nonzero()[0][:3].tolist() == [2, 14, 26]  # after an upbeat, bars of six quavers
