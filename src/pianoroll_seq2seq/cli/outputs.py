"""Files of music: MIDI, sound or a picture, as the ending says."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll

MIDI, SOUND, PICTURE = (".mid", ".midi"), (".wav", ".flac", ".ogg"), (".png",)
ENDINGS = (*MIDI, *SOUND, *PICTURE)
"""All that can be written."""


def check_outputs(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Refuses what could not be written, before any work is done.

    Raises:
        SettingsError: an ending that says nothing, or a file named twice.
        OverwriteError: a file stands there.
        MissingExtraError: a package is not installed.
    """
    seen = set()
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise SettingsError(f"{path}: what to write is said by the ending, one of {', '.join(ENDINGS)}.")
        if path in seen:
            raise SettingsError(f"{path} is named twice.")
        seen.add(path)
        if path.is_dir():
            raise SettingsError(f"{path} is a folder. Name a file in it.")
        if path.exists() and not overwrite:
            raise OverwriteError(f"{path} exists already. Choose another name, or add --overwrite.")
        _check_writable(path)
        _check_packages(path)


def _check_writable(path: Path) -> None:
    """The nearest folder that is there takes files."""
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise SettingsError(f"{path}: {there} is no folder that can be written to. Choose another place.")


def _check_packages(path: Path) -> None:
    """What is needed to write it is installed."""
    ending = path.suffix.lower()
    if ending in PICTURE and find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "plot", f"Drawing {path}")
    if ending in SOUND[1:] and find_spec("soundfile") is None:
        raise MissingExtraError("soundfile", "audio", f"Writing {path}")


def write_music(
    roll: PianoRoll,
    path: Path,
    *,
    primer_frames: int = 0,
    program: int = 0,
    soundfont: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a roll in the form that the ending of the path asks for.

    Args:
        roll: the music.
        path: where.
        primer_frames: how many frames were given to the model, told apart in a picture.
        program: General MIDI program, 0..127.
        soundfont: what to play it with; the one that is always there by default.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
        MissingExtraError: sound or pictures need a package that is not installed.
    """
    ending = path.suffix.lower()
    if ending in MIDI:
        roll.to_midi(path, program=program, overwrite=overwrite)
    elif ending in SOUND:
        roll.to_audio(program=program, soundfont=soundfont).save(path, overwrite=overwrite)
    else:
        draw(roll, path, primer_frames=primer_frames, overwrite=overwrite)


def draw(roll: PianoRoll, path: Path, *, primer_frames: int = 0, overwrite: bool = False) -> None:
    """Writes a picture of a roll, under its name.

    Args:
        roll: the music.
        path: where.
        primer_frames: how many frames were given to the model.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
        MissingExtraError: matplotlib is not installed.
    """
    from pianoroll_seq2seq.plot import plot_roll, save_figure

    axes = plot_roll(roll, primer_frames=primer_frames)
    axes.set_title(roll.name, loc="right")
    save_figure(axes, path, overwrite=overwrite)
