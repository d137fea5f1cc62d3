"""Samples of sound, and the files that hold them."""

import io
import os
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, ShapeError

Format = Literal["wav", "flac", "ogg"]
_LARGEST = 2**15 - 1
_AT_ONCE = 2**16
"""Frames written at once: no second copy of long music is made, and the encoder of OGG fails on very many."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound.

    Args:
        samples: of shape (frames, channels), full scale is -1 to 1; one channel or two, the left first.
        sample_rate: frames a second.

    Raises:
        ShapeError: samples of another shape or kind.
        SettingsError: a sample rate below 1.
    """

    samples: Float32[np.ndarray, "frames channels"]
    sample_rate: int

    def __post_init__(self) -> None:
        """Checks the samples."""
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
        """How long it lasts."""
        return len(self.samples) / self.sample_rate

    @property
    def peak_dbfs(self) -> float:
        """The largest sample, in decibels below full scale; minus infinity for silence."""
        peak = float(np.abs(self.samples).max(initial=0.0))
        return 20 * float(np.log10(peak)) if peak else -float("inf")

    def to_bytes(self, kind: Format = "wav") -> bytes:
        """A whole file in memory.

        Args:
            kind: ``wav`` and ``flac`` keep 16 bits of each sample; ``ogg`` (Vorbis) leaves out what is hardly heard.

        Raises:
            SettingsError: another kind.
            MissingExtraError: FLAC or OGG without soundfile (extra ``audio``).
        """
        if kind not in get_args(Format):
            raise SettingsError(f"Sound is written as {', '.join(get_args(Format))}, not as {kind!r}.")
        buffer = io.BytesIO()
        self._write(buffer, kind)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Writes a file, of the kind that its name ends in: ``.wav``, ``.flac`` or ``.ogg``.

        Args:
            path: where; missing folders are made.
            overwrite: whether a file that stands there may be replaced.

        Raises:
            OverwriteError: a file stands there and ``overwrite`` is false.
            SettingsError: a name with another ending.
            MissingExtraError: FLAC or OGG without soundfile (extra ``audio``).
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind not in get_args(Format):
            endings = ", ".join(f".{kind}" for kind in get_args(Format))
            raise SettingsError(f"{path}: sound is written to files ending in {endings}.")
        with writing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
            self._write(file, kind)
        return path

    def _write(self, target: io.BytesIO | io.BufferedWriter, kind: str) -> None:
        channels = self.samples.shape[1]
        if kind == "wav":
            with wave.open(target, "wb") as written:
                written.setnchannels(channels)
                written.setsampwidth(2)
                written.setframerate(self.sample_rate)
                written.setnframes(len(self.samples))
                for whole in self._whole_numbers():
                    written.writeframesraw(whole.tobytes())
            return
        try:
            import soundfile
        except (ImportError, OSError) as error:  # the latter without the library that it calls
            raise MissingExtraError("soundfile", "audio", f"Writing {kind.upper()}") from error
        with soundfile.SoundFile(target, "w", self.sample_rate, channels, format=kind.upper()) as encoded:
            for whole in self._whole_numbers():
                encoded.write(whole)

    def _whole_numbers(self) -> Iterator[np.ndarray]:
        """The samples in 16 bits, so many at once."""
        for begin in range(0, len(self.samples), _AT_ONCE):
            yield np.rint(self.samples[begin : begin + _AT_ONCE].clip(-1, 1) * _LARGEST).astype("<i2")
