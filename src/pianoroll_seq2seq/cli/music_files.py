"""Files of music: MIDI, MusicXML, sheet music, sound or a picture, by their ending."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.pianoroll import PianoRoll

MIDI, SOUND, PICTURE = (".mid", ".midi"), (".wav", ".flac", ".ogg"), (".png",)
NOTATION = (".musicxml", ".mxl")
SHEET = (".svg", ".pdf")
ENDINGS = (*MIDI, *NOTATION, *SHEET, *SOUND, *PICTURE)
"""The endings of files that can be written."""


def check_outputs(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Refuses files that cannot be written, before any work is done.

    Raises:
        SettingsError: an unknown ending, a file named twice, or a folder that cannot be written to.
        OverwriteError: a file exists already.
        MissingExtraError: a package is not installed.
    """
    seen = set()
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise SettingsError(f"{path}: unknown ending. Give one of {', '.join(ENDINGS)}.")
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
    """Checks that the nearest existing folder takes files."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SettingsError(f"{path}: {folder} is not a folder that can be written to. Choose another folder.")


def _check_packages(path: Path) -> None:
    """Checks that the packages which write this kind of file are installed."""
    ending = path.suffix.lower()
    if ending in PICTURE and find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "plot", f"Drawing {path}")
    if ending in SOUND[1:] and find_spec("soundfile") is None:
        raise MissingExtraError("soundfile", "audio", f"Writing {path}")
    if ending in SHEET and find_spec("verovio") is None:
        raise MissingExtraError("verovio", "score", f"Writing {path}")
    if ending == ".pdf":
        from pianoroll_seq2seq.display.sheet_music import check_pdf

        check_pdf()


def write_music(
    roll: "PianoRoll",
    path: Path,
    *,
    primer_frames: int = 0,
    velocity: int | None = None,
    program: int | None = None,
    soundfont: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a roll as MIDI, MusicXML, sheet music, sound or a picture, by the ending of the file.

    Args:
        roll: the music.
        path: the file.
        primer_frames: frames of the primer at the beginning, which a picture marks.
        velocity: of all notes, 1..127; their own by default.
        program: General MIDI program of all parts but drums, 0..127; their own by default.
        soundfont: SoundFont to play with; a built-in one by default.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        MissingExtraError: sheet music, sound or pictures need a package that is not installed.
    """
    ending = path.suffix.lower()
    if ending in MIDI:
        roll.to_midi(path, velocity=velocity, program=program, overwrite=overwrite)
    elif ending in NOTATION:
        roll.to_musicxml(path, velocity=velocity, program=program, overwrite=overwrite)
    elif ending in SHEET:
        roll.to_sheet_music().save(path, overwrite=overwrite)
    elif ending in SOUND:
        roll.to_audio(velocity=velocity, program=program, soundfont=soundfont).save(path, overwrite=overwrite)
    else:
        draw(roll, path, primer_frames=primer_frames, overwrite=overwrite)


def draw(roll: "PianoRoll", path: Path, *, primer_frames: int = 0, overwrite: bool = False) -> None:
    """Draws a roll, with its name as the title.

    Args:
        roll: the music.
        path: the file.
        primer_frames: frames of the primer at the beginning.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        MissingExtraError: matplotlib is not installed.
    """
    from pianoroll_seq2seq.display.plot import plot_roll, save_figure

    axes = plot_roll(roll, primer_frames=primer_frames)
    axes.set_title(roll.name, loc="right", parse_math=False)
    save_figure(axes, path, overwrite=overwrite)
