"""Scales and their chords: 12 roots, 13 scales, 156 short pieces.

The article of 2017 used the free "scale chords" pack of feelyoursound.com. The pack has no licence, so it is not
shipped: :func:`write_scale_chords` makes pieces of the same names and structure from music theory, and
:func:`download_scale_chords` downloads the pack itself.

A piece plays its scale upwards, the triads and the seventh chords on each degree (scales of seven tones), and then,
degree by degree, every chord of :data:`TRIADS` and :data:`SEVENTHS` whose bass is that degree and whose tones are all
in the scale. Every note lasts a beat; two beats of silence separate the groups.
As in the pack, aeolian is minor and ionian is major, so 132 of the 156 are distinct.
"""

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pianoroll_seq2seq.errors import DownloadError, MissingExtraError, OverwriteError
from pianoroll_seq2seq.midi_io import to_midi_bytes, write_midi
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

ROOTS = ("c", "csharp", "d", "dsharp", "e", "f", "fsharp", "g", "gsharp", "a", "asharp", "b")
"""Names of the roots, from C upwards in semitones."""

SCALES: dict[str, tuple[int, ...]] = {
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic_minor": (0, 2, 3, 5, 7, 9, 11),
    "major_pentatonic": (0, 2, 4, 7, 9),
    "minor_pentatonic": (0, 3, 5, 7, 10),
}
"""Semitones of each scale's tones above its root."""

COMMON_FIRST = (
    *("major", "minor", "harmonic_minor", "melodic_minor", "major_pentatonic", "minor_pentatonic"),
    *("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian"),
)
"""The names of the scales for people: those that they look for first."""

TRIADS = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "suspended second": (0, 2, 7),
    "suspended fourth": (0, 5, 7),
    "fifth and octave": (0, 7, 12),
}
"""Semitones of each chord of three tones above its root."""

SEVENTHS = {
    "major seventh": (0, 4, 7, 11),
    "dominant seventh": (0, 4, 7, 10),
    "minor seventh": (0, 3, 7, 10),
    "half-diminished seventh": (0, 3, 6, 10),
    "diminished seventh": (0, 3, 6, 9),
    "minor with major seventh": (0, 3, 7, 11),
    "seventh with suspended fourth": (0, 5, 7, 10),
    "major with added ninth": (0, 4, 7, 14),
    "minor with added ninth": (0, 3, 7, 14),
}
"""Semitones of each chord of four tones above its root."""

_LOWEST_ROOT = 48  # the C below middle C
_TICKS_PER_BEAT = 960
_REST_BEATS = 2
_MAX_BYTES = 4 * 2**20  # of the pack, which has a tenth

PACK_URL = "http://www.feelyoursound.com/data/scale_chords_small.zip"
"""The address of the original pack."""

PACK_DIGEST = "ffe1cc24ad8a1d95c9348ddd79c4a60c07d6703f97a04d900c23d58d10958031"
"""SHA-256 over the names and contents of the pack's MIDI files; see :func:`digest_of`."""


def scale_chords() -> dict[str, Score]:
    """The 156 pieces by name, such as ``scale_c_major``.

    Example:
        >>> pieces = scale_chords()
        >>> len(pieces), len(pieces["scale_c_major"].notes) > 250
        (156, True)
    """
    return {
        f"scale_{root}_{scale}": _piece(root, _LOWEST_ROOT + semitones, scale)
        for semitones, root in enumerate(ROOTS)
        for scale in SCALES
    }


def write_scale_chords(folder: str | os.PathLike[str]) -> Path:
    """Writes the 156 pieces as MIDI files. Existing files with the same content are kept.

    Returns:
        The folder.

    Raises:
        OverwriteError: a file of one of the names exists with another content.
    """
    root = Path(folder)
    for name, score in scale_chords().items():
        path = root / f"{name}.mid"
        if not path.exists():
            write_midi(score, path)
        elif path.read_bytes() != to_midi_bytes(score):
            raise OverwriteError(f"{path} exists already, with other music. Choose another folder.")
    return root


def download_scale_chords(cache_dir: str | os.PathLike[str] | None = None, *, url: str = PACK_URL) -> Path:
    """Downloads the original pack once, verifies it, and caches it (extra ``datasets``).

    Args:
        cache_dir: the folder for the download; the user's cache folder by default.
        url: the address of the pack.

    Returns:
        The folder with the 156 MIDI files.

    Raises:
        MissingExtraError: pooch is not installed.
        DownloadError: no connection, or not the expected pack.
    """
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "datasets", "Downloading a data set") from error
    folder = Path(cache_dir) if cache_dir is not None else Path(pooch.os_cache("pianoroll_seq2seq"))
    archive = folder / "scale_chords_small.zip"
    try:
        pooch.retrieve(url, known_hash=None, fname=archive.name, path=folder, downloader=_download)
        files = _unpacked(archive)
    except (OSError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        archive.unlink(missing_ok=True)  # so that the next call downloads it again
        raise DownloadError(
            f"The scale chords pack could not be downloaded from {url} ({error}). Connect to the network, or use the "
            f"built-in pieces: write_scale_chords(folder)."
        ) from error
    found = _digest(files)
    if found != PACK_DIGEST:
        archive.unlink(missing_ok=True)
        raise DownloadError(
            f"The file from {url} is not the scale chords pack: {len(files)} MIDI files with the digest {found}, "
            f"expected 156 with {PACK_DIGEST}. Use write_scale_chords(folder) instead."
        )
    midi = folder / archive.stem
    midi.mkdir(exist_ok=True)
    for name, content in files:
        path = midi / name
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    return midi


def _download(url: str, path: str, _: object) -> None:
    """Downloads a file that may not be larger than any pack, as ``pooch`` asks for it."""
    import pooch

    with _BoundedFile(path, "wb") as file:
        pooch.HTTPDownloader()(url, file, None)


class _BoundedFile(io.FileIO):
    """A file to which no more bytes than a pack has can be written."""

    _left = _MAX_BYTES

    def write(self, data: Any) -> int:
        """Writes bytes, if they are not too many."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it is larger than {_MAX_BYTES} bytes, which the pack is not")
        return super().write(data)


def _unpacked(archive: Path) -> list[tuple[str, bytes]]:
    """The names and the contents of the MIDI files of an archive. Nothing is written before they are checked.

    Raises:
        ValueError: they are larger than those of any pack.
    """
    with zipfile.ZipFile(archive) as opened:
        entries = [entry for entry in opened.infolist() if entry.filename.endswith(".mid")]
        size = sum(entry.file_size for entry in entries)
        if size > _MAX_BYTES:
            raise ValueError(f"its files have {size} bytes, those of the pack at most {_MAX_BYTES}")
        return [(PurePosixPath(entry.filename).name, opened.read(entry)) for entry in entries]


def digest_of(paths: list[Path]) -> str:
    """SHA-256 over the names and contents of files, whatever their order and folder."""
    return _digest((path.name, path.read_bytes()) for path in paths)


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    lines = [f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in files]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _piece(root_name: str, root: int, scale: str) -> Score:
    steps = SCALES[scale]
    onsets: list[int] = []
    pitches: list[int] = []
    beat = 0
    for group in _groups(steps):
        for chord in group:
            onsets += [beat * _TICKS_PER_BEAT] * len(chord)
            pitches += [root + semitones for semitones in chord]
            beat += 1
        beat += _REST_BEATS
    ends = [onset + _TICKS_PER_BEAT for onset in onsets]
    notes = NoteTable(onsets, ends, pitches, [100] * len(pitches), [0] * len(pitches))
    title = f"{root_name.replace('sharp', '#').upper()} {scale.replace('_', ' ').title()}"
    return Score(notes, TempoMap(_TICKS_PER_BEAT), (Part(title),), f"scale_{root_name}_{scale}")


def _groups(steps: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Groups of chords, as semitones above the root; a rest follows each."""
    yield [(step,) for step in steps]
    if len(steps) == 7:
        for size in (3, 4):
            yield [tuple(_tone(steps, degree + 2 * third) for third in range(size)) for degree in range(7)]
    for degree in range(len(steps)):
        bass = steps[degree]
        yield [
            tuple(bass + tone for tone in chord)
            for chord in _CLOSE_CHORDS
            if all((bass + tone) % 12 in steps for tone in chord)
        ]


def _tone(steps: tuple[int, ...], index: int) -> int:
    """The scale's tone of that index, going on into the octaves above."""
    octave, degree = divmod(index, len(steps))
    return 12 * octave + steps[degree]


def _inversions(chord: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The chord, and within an octave each of its other tones in the bass."""
    yield chord
    if chord[-1] < 12:
        for bass in chord[1:]:
            yield tuple(sorted((tone - bass) % 12 for tone in chord))


_CLOSE_CHORDS: list[tuple[int, ...]] = sorted(
    {inversion for chord in (*TRIADS.values(), *SEVENTHS.values()) for inversion in _inversions(chord)},
    key=lambda chord: (len(chord), chord),
)
