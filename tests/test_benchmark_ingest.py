"""The benchmark of reading, run as a user runs it, on two files."""

import json
import subprocess
import sys
from pathlib import Path

import mido
import pytest

BENCHMARK = Path(__file__).resolve().parent.parent / "benchmarks" / "ingest.py"


def write_song(path: Path) -> None:
    """Two tracks with a change of tempo, a note on a half of either grid, and drums that do not count."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    file.add_track().append(mido.MetaMessage("set_tempo", tempo=400_000, time=960))
    for channel, ticks in ((0, 60), (9, 7_000)):
        track = file.add_track()
        for pitch in (60, 64, 67):
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90, time=ticks))
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=0, time=ticks * 7))
    file.save(path)


def run_benchmark(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", BENCHMARK, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("grid", ["50hz", "16th"])
def test_it_counts_times_and_compares(tmp_path: Path, grid: str) -> None:
    write_song(tmp_path / "a.mid")
    write_song(tmp_path / "b.MID")
    (tmp_path / "damaged.mid").write_bytes(b"not music")
    output = tmp_path / "out" / "ingest.json"
    options = ("--grids", grid, "--rounds", "2", "--slow-files", "3", "--only", "ours,mido", "--output", output)
    options += ("--apart",) if grid == "16th" else ()
    done = run_benchmark(tmp_path, *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text(encoding="utf-8"))
    assert (report["rounds"], report["files"], report["sample"]) == (2, 3, 3)
    assert report["machine"]["packages"]["mido"]
    rows = report["grids"][grid]["contenders"]
    ways = ("from_midi", "filled", "with velocities, filled")
    ours = [f"ours: {way}, {by}" for way in ways for by in ("numpy", "numba")]
    assert [row["name"] for row in rows][-7:] == [*ours, "ours: read_midi, from_score, filled"]
    for row in rows:
        assert row["name"] in done.stdout
        assert row["agreement"] == 1
        assert row["files_per_second"] > 0
        assert row["frames_per_second"] > row["files_per_second"]
        assert len(row["seconds_by_round"]) == 2
        assert [Path(path).name for path in row["failures"]] == ["damaged.mid"]


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    done = run_benchmark(tmp_path, "--grids", "50hz")
    assert done.returncode == 2
    assert "no .mid or .midi files" in done.stderr
