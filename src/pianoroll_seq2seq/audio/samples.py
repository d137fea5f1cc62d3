"""Samples of sound, and the files that hold them."""

import io
import os
import wave
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
"""Frames handed to an encoder at once; the one of OGG fails on very many."""


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
        return self._wav() if kind == "wav" else self._encoded(kind)

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
        data = self.to_bytes(kind)  # type: ignore[arg-type] # just checked
        with writing(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(data)
        return path

    def _whole_numbers(self) -> np.ndarray:
        whole: np.ndarray = np.rint(self.samples.clip(-1, 1) * _LARGEST).astype("<i2")
        return whole

    def _wav(self) -> bytes:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(self.samples.shape[1])
            file.setsampwidth(2)
            file.setframerate(self.sample_rate)
            file.writeframes(self._whole_numbers().tobytes())
        return buffer.getvalue()

    def _encoded(self, kind: str) -> bytes:
        try:
            import soundfile
        except ImportError as error:
            raise MissingExtraError("soundfile", "audio", f"Writing {kind.upper()}") from error
        buffer = io.BytesIO()
        samples = self._whole_numbers()
        channels = samples.shape[1]
        with soundfile.SoundFile(buffer, "w", self.sample_rate, channels, format=kind.upper()) as file:
            for begin in range(0, len(samples), _AT_ONCE):
                file.write(samples[begin : begin + _AT_ONCE])
        return buffer.getvalue()
