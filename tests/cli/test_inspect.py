"""``inspect``: what is in a MIDI file or folder."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from command_line import Run
from event_player import gs_rhythm_part, xg_part_mode

from pianoroll_seq2seq import NoteTable, Part, Score, TempoMap, write_midi
from pianoroll_seq2seq.cli.inspect import inspect
from pianoroll_seq2seq.midi_io.write import to_mido


def score(onsets: list[int], *, drums: bool = False, tempo: TempoMap | None = None) -> Score:
    pitches = [60 + number % 5 for number in range(len(onsets))]
    notes = NoteTable(onsets, [onset + 100 for onset in onsets], pitches, [90] * len(onsets), [0] * len(onsets))
    return Score(notes, tempo or TempoMap(480), (Part("melody", drums=drums),))


def test_one_file(run: Run, tmp_path: Path) -> None:
    """The tempo, the parts, the pitches or the grid of a file are wrong."""
    tempo = TempoMap(480, [(0, 500_000), (960, 250_000)])
    write_midi(score([0, 240, 480, 720, 960], tempo=tempo), tmp_path / "a.mid")
    found = run("inspect", tmp_path / "a.mid", "--json").json
    (file,) = found["files"]
    assert (file["notes"], file["ticks_per_beat"], file["problems"]) == (5, 480, [])
    assert file["tempi"] == [[0.0, 120.0], [1.0, 240.0]]
    assert file["seconds"] == pytest.approx(1.052, abs=0.001)
    assert [(part["name"], part["notes"], part["lowest"], part["highest"]) for part in file["parts"]] == [
        ("melody", 5, 60, 64)
    ]
    assert found["pitches"] == {"60": 1, "61": 1, "62": 1, "63": 1, "64": 1}
    assert found["suggestion"] == {"frames_per_beat": 2, "offset": None, "on_grid": 1.0, "pitches": [60, 64]}
    text = run("inspect", tmp_path / "a.mid").out
    assert "120 from 0 s, 240 from 1 s" in text
    assert "C4..E4" in text
    assert "suggested: --frames-per-beat 2 --pitches 60 64" in text


def test_names_do_not_control_the_terminal(run: Run, tmp_path: Path) -> None:
    """The name of a track changes the window's title, or is taken for lines of the program."""
    song = replace(score([0]), parts=(Part("\x1b]0;title\x07\x1b[31mred\r\nno problems\u202e" + 100 * "x"),))
    write_midi(song, tmp_path / "a.mid")
    text = run("inspect", tmp_path / "a.mid").out
    assert r"\x1b]0;title\x07\x1b[31mred\r\nno problems\u202exxx" in text
    assert "x…\n" in text
    assert not set(text) & set("\x1b\x07\r\u202e")
    (part,) = run("inspect", tmp_path / "a.mid", "--json").json["files"][0]["parts"]
    assert part["name"] == song.parts[0].name  # programs get it as it is


@pytest.mark.parametrize(("frames_per_beat", "step"), [(1, 480), (3, 160), (4, 120), (6, 80), (16, 30)])
def test_the_suggested_grid_is_the_coarsest_that_fits(tmp_path: Path, frames_per_beat: int, step: int) -> None:
    """Triplets are put on a grid of sixteenths."""
    path = write_midi(score([step * number for number in range(50)]), tmp_path / "a.mid")
    assert inspect(path).suggestion.frames_per_beat == frames_per_beat


def test_music_that_was_played_in_has_no_grid_in_beats(tmp_path: Path) -> None:
    """A performance is squeezed onto a grid that it never knew."""
    onsets = np.sort(np.random.default_rng(0).integers(0, 48_000, size=300)).tolist()
    found = inspect(write_midi(score(onsets), tmp_path / "a.mid"))
    assert found.suggestion.frames_per_beat is None
    assert "--frame-seconds 0.02" in str(found)


def test_music_beside_the_beats_gets_an_offset(run: Run, tmp_path: Path) -> None:
    """Pop music on sixteenths is taken for a performance, and trained on 20 ms frames in windows of 0.64 s."""
    for late in (0, 37, 90):
        write_midi(score([late + 120 * number for number in range(50)]), tmp_path / f"{late}.mid")
    found = run("inspect", tmp_path, "--json").json
    assert found["suggestion"] == {"frames_per_beat": 4, "offset": "auto", "on_grid": 1.0, "pitches": [60, 64]}
    assert [file["rhythm"]["offset_ticks"] for file in found["files"]] == [0, 37, -30]
    fits = {(fit["frames_per_beat"], fit["offset"]): fit for fit in found["grids"]}
    assert fits[4, "auto"]["on_grid"] == 1
    assert (fits[4, "auto"]["median_ms"], fits[4, "auto"]["most_ms"]) == (0, 0)
    assert fits[4, None]["on_grid"] == pytest.approx(1 / 3, abs=1e-3)
    assert fits[4, None]["most_ms"] == pytest.approx(500 * 37 / 480, abs=0.1)  # a beat lasts 500 ms
    text = run("inspect", tmp_path).out
    assert "rhythm: an offset in 2 files" in text
    assert f"train --data {tmp_path} --frames-per-beat 4 --offset auto --pitches 60 64\n" in text
    alone = run("inspect", tmp_path / "37.mid").out
    assert "the music is 37 ticks off" in alone
    assert "suggested: --frames-per-beat 4 --offset auto" in alone


def test_files_on_the_grid_get_no_offset(tmp_path: Path) -> None:
    """Off-beats alone would fit a coarser grid with an offset, but then their beats are wrong."""
    path = write_midi(score([240 + 480 * number for number in range(50)]), tmp_path / "a.mid")
    assert (inspect(path).suggestion.frames_per_beat, inspect(path).suggestion.offset) == (2, None)


@pytest.mark.parametrize(("onsets", "lines"), [([13], None), ([13, 17], None), ([0], 1), ([0, 0, 0], 1)])
def test_a_few_notes_are_no_evidence_of_an_offset(tmp_path: Path, onsets: list[int], lines: int | None) -> None:
    """Each single note is on a grid with an offset, so a file of one note would decide for a folder."""
    suggestion = inspect(write_midi(score(onsets), tmp_path / "a.mid")).suggestion
    assert (suggestion.frames_per_beat, suggestion.offset) == (lines, None)


@pytest.mark.parametrize("late", [0, 41])
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ([0, 240, 360], (None, None, 0)),
        ([0, 320], (2 / 3, None, 0)),
        ([0, 280], (7 / 12, None, 0)),
        ([0, 0, 160, 240, 320], (None, None, 0.4)),
        ([0, 0, 144, 240, 384], (None, 0.6, 0)),
        ([0, 0, 240, 360, 430], (None, None, 0)),
    ],
    ids=["straight", "swing", "light swing", "triplets", "swing of sixteenths", "late sixteenth"],
)
def test_swing_and_triplets(
    tmp_path: Path, late: int, pattern: list[int], expected: tuple[float | None, float | None, float]
) -> None:
    """A shuffle is trained on sixteenths, on which every second note is early."""
    onsets = [late + 480 * beat + place for beat in range(40) for place in pattern]
    (file,) = inspect(write_midi(score(onsets), tmp_path / "a.mid")).files
    rhythm = file.rhythm
    for found, right in zip((rhythm.swing, rhythm.swing_sixteenths, rhythm.triplets), expected, strict=True):
        assert found == (right if right is None else pytest.approx(right, abs=1e-3))


def test_a_shuffle_gets_a_grid_of_triplets(run: Run, tmp_path: Path) -> None:
    """The swing of a file is found, but its grid is one of sixteenths."""
    onsets = [20 + 480 * beat + place for beat in range(40) for place in (0, 320)]
    for name in "ab":
        write_midi(score(onsets), tmp_path / f"{name}.mid")
    text = run("inspect", tmp_path).out
    assert "an offset in 2 files, swing in 2 files" in text
    assert "suggested: --frames-per-beat 3 --offset auto" in text
    assert "swing: the second of two eighths begins at 0.67 of both" in run("inspect", tmp_path / "a.mid").out


def test_the_advice_has_windows_of_two_bars(run: Run, tmp_path: Path) -> None:
    """The suggested grid is fine, and windows of 32 of its frames are shorter than a bar."""
    write_midi(score([40 * number for number in range(100)]), tmp_path / "fine" / "a.mid")
    write_midi(score(np.random.default_rng(0).integers(0, 9_000, 300).tolist()), tmp_path / "free" / "a.mid")
    assert "--frames-per-beat 12 --pitches 60 64 --input-frames 96 --target-frames 96" in (
        run("inspect", tmp_path / "fine").out
    )
    assert "--frame-seconds 0.02 --pitches 60 64 --input-frames 200 --target-frames 200" in (
        run("inspect", tmp_path / "free").out
    )


def test_pop909_is_on_sixteenths(pop909_dir: Path, tmp_path: Path) -> None:
    """Real files, each with an offset of its own, get 20 ms frames."""
    for path in sorted(pop909_dir.glob("*.mid"))[:40]:
        (tmp_path / path.name).symlink_to(path)
    found = inspect(tmp_path)
    assert (found.suggestion.frames_per_beat, found.suggestion.offset) == (4, "auto")
    assert found.suggestion.on_grid > 0.9
    (as_they_are,) = (fit for fit in found.grids if (fit.frames_per_beat, fit.offset) == (4, None))
    assert as_they_are.on_grid < 0.2  # no more than notes at any time


def test_a_folder_with_files_that_cause_trouble(run: Run, tmp_path: Path) -> None:
    """One broken file hides all others, or goes unnoticed."""
    whole = write_midi(score([0, 480]), tmp_path / "good.mid").read_bytes()
    write_midi(score([0], drums=True), tmp_path / "drums.mid")
    write_midi(score([480 * number for number in range(200)] + [480_000]), tmp_path / "stray.mid")
    (tmp_path / "cut.mid").write_bytes(whole[:-6])
    (tmp_path / "text.mid").write_text("no music")
    done = run("inspect", tmp_path)
    assert done.code == 0
    assert "4 files" in done.out
    assert "text.mid: not a MIDI file" in done.out
    assert "cut.mid: damaged" in done.out
    assert "drums.mid: nothing but drums" in done.out
    assert "stray.mid: stray notes" in done.out
    assert "read:" not in done.out  # progress is none of the result
    assert list(run("inspect", tmp_path, "--json").json["unreadable"]) == ["text.mid"]


def test_messages_that_make_channels_drums_are_named(run: Run, tmp_path: Path) -> None:
    """Notes that are missing from a roll, or drum hits in it: only the file's messages say why."""
    tracks = [
        [mido.Message("sysex", data=gs_rhythm_part(10, 2)), mido.Message("sysex", data=xg_part_mode(9, 0))],
        [mido.Message("control_change", channel=4, control=0, value=127), mido.Message("program_change", channel=4)],
        [
            mido.Message(kind, channel=channel, note=60, time=time)
            for channel in (0, 4, 9, 10)
            for kind, time in (("note_on", 0), ("note_off", 480))
        ],
    ]
    mido.MidiFile(tracks=[mido.MidiTrack(track) for track in tracks]).save(tmp_path / "drums.mid")
    text = run("inspect", tmp_path / "drums.mid").out
    assert "drums on channel 5 (4 counted from 0), by a bank of XG or GM2" in text
    assert "no drums on channel 10 (9 counted from 0), by an XG message" in text
    assert "drums on channel 11 (10 counted from 0), by a GS message" in text


def test_tracks_that_end_long_after_the_music(run: Run, tmp_path: Path) -> None:
    """An hour of silence is left out of every roll, and nobody learns why the player shows an hour."""
    file = to_mido(score([0, 480]))
    file.tracks[1].append(mido.MetaMessage("end_of_track", time=480 * 2 * 3600))
    file.save(tmp_path / "late.mid")
    assert "3600 s of silence after the music" in run("inspect", tmp_path / "late.mid").out
    kept = replace(score([0, 480]), end_tick=480 * 60)  # it belongs to the music
    write_midi(kept, tmp_path / "kept.mid")
    done = run("inspect", tmp_path / "kept.mid", "--json").json
    assert (done["files"][0]["seconds"], done["files"][0]["problems"]) == (30.0, [])


def test_what_is_not_there_or_no_music(run: Run, tmp_path: Path) -> None:
    """A wrong path is a traceback."""
    assert "no such file or folder" in run("inspect", tmp_path / "nothing").refused()
    assert "no MIDI or MusicXML file (.mid, " in run("inspect", tmp_path).refused()
    (tmp_path / "a.mid").write_bytes(b"")
    assert "a.mid" in run("inspect", tmp_path / "a.mid").refused()
