"""Samples of sound, and audio files."""

import io
import os
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, ShapeError

Format = Literal["wav", "flac", "ogg"]
_MAX_SAMPLE = 2**15 - 1
_CHUNK = 2**16
"""Frames written at once: it saves a second copy of long music, and the OGG encoder fails on very many frames."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound. In a notebook it displays itself as a player.

    Args:
        samples: of shape (frames, channels), from -1 to 1; one channel, or two with the left first.
        sample_rate: frames per second.

    Raises:
        ShapeError: samples of another shape or dtype.
        SettingsError: a sample rate below 1.
    """

    samples: Float32[np.ndarray, "frames channels"]
    sample_rate: int

    def __post_init__(self) -> None:
        """Validates the samples and their rate."""
        samples = self.samples
        if samples.ndim != 2 or samples.shape[1] not in (1, 2) or samples.dtype != np.float32:
            raise ShapeError(
                f"Audio.samples must be float32 of shape (frames, 1) or (frames, 2), got {samples.dtype} of shape "
                f"{samples.shape}."
            )
        if self.sample_rate < 1:
            raise SettingsError(f"Audio.sample_rate must be at least 1, got {self.sample_rate}.")

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def peak_dbfs(self) -> float:
        """The peak in dBFS (0 is full scale); minus infinity for silence."""
        peak = float(np.abs(self.samples).max(initial=0.0))
        return 20 * float(np.log10(peak)) if peak else -float("inf")

    def __repr__(self) -> str:
        """The length, the channels and the sample rate; not the samples."""
        channels = "mono" if self.samples.shape[1] == 1 else "stereo"
        return f"Audio({self.seconds:.2f} s, {channels}, {self.sample_rate} Hz, peak {self.peak_dbfs:.1f} dBFS)"

    def _repr_html_(self) -> str:
        return html_of(self)

    def to_bytes(self, kind: Format = "wav") -> bytes:
        """Encodes the sound as a file in memory.

        Args:
            kind: ``wav`` and ``flac`` have 16 bits; ``ogg`` (Vorbis) is lossy.

        Raises:
            SettingsError: another format.
            MissingExtraError: FLAC or OGG without soundfile (extra ``audio``).
        """
        if kind not in get_args(Format):
            raise SettingsError(f"Unknown audio format {kind!r}. Choose one of {', '.join(get_args(Format))}.")
        buffer = io.BytesIO()
        self._write(buffer, kind)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Writes a file; its ending gives the format: ``.wav``, ``.flac`` or ``.ogg``.

        Args:
            path: the file; missing folders are created.
            overwrite: whether an existing file may be replaced.

        Raises:
            OverwriteError: the file exists and ``overwrite`` is false.
            SettingsError: a name with another ending.
            MissingExtraError: FLAC or OGG without soundfile (extra ``audio``).
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind not in get_args(Format):
            endings = ", ".join(f".{kind}" for kind in get_args(Format))
            raise SettingsError(f"{path}: an audio file must end in {endings}.")
        with writing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
            self._write(file, kind)
        return path

    def _write(self, target: io.BytesIO | io.BufferedWriter, kind: str) -> None:
        channels = self.samples.shape[1]
        if kind == "wav":
            with wave.open(target, "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(self.sample_rate)
                file.setnframes(len(self.samples))
                for chunk in self._int16_chunks():
                    file.writeframesraw(chunk.tobytes())
            return
        try:
            import soundfile
        except (ImportError, OSError) as error:  # OSError if libsndfile is missing
            raise MissingExtraError("soundfile", "audio", f"Writing {kind.upper()}") from error
        with soundfile.SoundFile(target, "w", self.sample_rate, channels, format=kind.upper()) as encoded:
            for chunk in self._int16_chunks():
                encoded.write(chunk)

    def _int16_chunks(self) -> Iterator[np.ndarray]:
        """The samples in 16 bits, in chunks."""
        for begin in range(0, len(self.samples), _CHUNK):
            yield np.rint(self.samples[begin : begin + _CHUNK].clip(-1, 1) * _MAX_SAMPLE).astype("<i2")
