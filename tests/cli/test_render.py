"""``render``: MIDI files as sound or pictures, and generated music as sound."""

import contextlib
import os
import shutil
import sys
import threading
import wave
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Run

from pianoroll_seq2seq import NoteTable, Score, TempoMap, read_midi, write_midi
from pianoroll_seq2seq.cli import music_files
from pianoroll_seq2seq.controllers import CONTROL_CHANGE, Controllers

PLAIN = ("--synthesizer", "plain", "--tail-seconds", 0.5)


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_file(run: Run, midi: Path, tmp_path: Path) -> None:
    """The sound is cut off, or the picture is not there."""
    song = midi / "scale_c_major_pentatonic.mid"
    made = [tmp_path / "song.wav", tmp_path / "deep" / "song.png", tmp_path / "copy.mid"]
    done = run("render", song, "--output", *made, *PLAIN, "--json")
    assert done.json == {"files": [str(path) for path in made], "refused": {}}
    assert seconds(made[0]) == pytest.approx(read_midi(song).end_seconds + 0.5, abs=1e-3)
    assert made[1].read_bytes().startswith(b"\x89PNG")
    assert read_midi(made[2]) == read_midi(song)


def test_a_folder(run: Run, midi: Path, tmp_path: Path) -> None:
    """One broken file keeps all others from being rendered."""
    (tmp_path / "music" / "inner").mkdir(parents=True)
    shutil.copy(midi / "scale_c_major_pentatonic.mid", tmp_path / "music" / "inner" / "c.mid")
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd")
    given = ("render", tmp_path / "music", "--output", tmp_path / "sounds", "--endings", "wav", *PLAIN)
    done = run(*given)
    assert done.code == 0
    assert "broken.mid" in done.out
    assert seconds(tmp_path / "sounds" / "inner" / "c.wav") > 10
    assert "exists already" in run(*given).refused()
    assert run(*given, "--overwrite").code == 0


def test_a_file_is_played_with_its_controllers(run: Run, tmp_path: Path) -> None:
    """A muted channel sounds; or what the plain synthesizer cannot play goes missing without a word."""
    muted = Controllers([0, 0], [0, 0], [CONTROL_CHANGE] * 2, [7, 1], [0, 50])
    score = Score(NoteTable([0], [480], [60], [100], [0]), TempoMap(480), controllers=muted)
    write_midi(score, tmp_path / "muted.mid")
    done = run("render", tmp_path / "muted.mid", "--output", tmp_path / "muted.wav", *PLAIN)
    assert done.code == 0
    assert "muted: the plain synthesizer does not play modulation" in done.err
    with wave.open(str(tmp_path / "muted.wav")) as sound:
        assert not any(sound.readframes(sound.getnframes()))


def test_a_damaged_file(run: Run, midi: Path, tmp_path: Path) -> None:
    """Asked for what is left of a damaged file, the command draws it but does not play it."""
    damaged = tmp_path / "damaged.mid"
    damaged.write_bytes((midi / "scale_c_major_pentatonic.mid").read_bytes()[:-9])
    made = [tmp_path / name for name in ("song.wav", "song.png", "song.mid")]
    assert "--on-damage salvage" in run("render", damaged, "--output", *made, *PLAIN).refused()
    run("render", damaged, "--output", *made, *PLAIN, "--on-damage", "salvage")
    assert seconds(made[0]) == pytest.approx(read_midi(made[2]).end_seconds + 0.5, abs=1e-3)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are POSIX's")
def test_a_pipe_is_read_once(run: Run, midi: Path, tmp_path: Path) -> None:
    """``render <(command)`` finds an empty file, or waits for ever for a second writer."""
    pipe = tmp_path / "song.mid"
    os.mkfifo(pipe)
    content = (midi / "scale_c_major_pentatonic.mid").read_bytes()
    done = threading.Event()

    def write() -> None:
        pipe.write_bytes(content)
        while not done.wait(0.05):  # whoever opens it again gets nothing, rather than to wait
            with contextlib.suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))

    threading.Thread(target=write, daemon=True).start()
    made = [tmp_path / name for name in ("song.wav", "copy.mid")]
    try:
        run("render", pipe, "--output", *made, *PLAIN)
    finally:
        done.set()
    assert seconds(made[0]) == pytest.approx(read_midi(content).end_seconds + 0.5, abs=1e-3)
    assert read_midi(made[1]) == read_midi(content)


def test_generated_music_as_sound(run: Run, small_run: Path, tmp_path: Path) -> None:
    """The sound is not as long as the music and its tail."""
    given = ("generate", "--model", small_run, "--seconds", 3, "--output", tmp_path / "a.wav", "--json")
    assert seconds(tmp_path / "a.wav" if run(*given).code == 0 else Path()) == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nothing.mid", "--output", "a.wav"), "no such file or folder"),
        (("file.mid", "--output", "a.wav"), "file.mid: not a MIDI file"),
        (("file.mid", "--output", "a.mp3"), "Give one of .mid"),
        (("file.mid",), "--output"),
        (("file.mid", "--output", "a.wav", "--endings", "png"), "is for folders"),
        (("folder", "--output", "a", "b"), "give one folder"),
        (("folder", "--output", "a", "--endings", ".mp3"), "--endings .mp3: unknown ending"),
        (("folder", "--output", "a"), "no MIDI or MusicXML file (.mid, "),
    ],
)
def test_mistakes(run: Run, here: Path, options: tuple[object, ...], words: str) -> None:
    """A slip ends in a traceback."""
    (here / "file.mid").write_text("no music")
    (here / "folder").mkdir()
    assert words in run("render", *options).refused()


def test_missing_packages_are_named_first(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is generated, and then it turns out that it cannot be drawn."""
    monkeypatch.setattr(
        music_files, "find_spec", lambda name: None if name in ("matplotlib", "soundfile") else find_spec(name)
    )
    for name, extra in (("a.png", "plot"), ("a.flac", "audio")):
        assert f"pianoroll-seq2seq[{extra}]" in run("generate", "--output", name).refused()
    assert "pianoroll_seq2seq.nothing" not in sys.modules
