"""Names of scales, such as ``C major``."""

import re

from pianoroll_seq2seq.data.datasets.scale_chords import COMMON_FIRST, SCALES
from pianoroll_seq2seq.errors import SettingsError

_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NAME = re.compile(r"(?P<root>[a-g])(?P<accidental>#|sharp|b|flat)?[ _:-]*(?P<scale>[a-z][a-z _-]*)")


def pitch_classes_of(name: str) -> tuple[int, ...]:
    """The pitch classes of a scale in ascending order, 0 for C.

    Args:
        name: root and scale, such as ``C major``, ``f#_dorian`` or ``Bb minor pentatonic``.

    Raises:
        SettingsError: an unknown scale.

    Example:
        >>> pitch_classes_of("G major")
        (0, 2, 4, 6, 7, 9, 11)
    """
    found = _NAME.fullmatch(name.strip().lower())
    if found is not None:
        words = re.split(r"[ _-]+", found["scale"].strip())
        for scale in ("_".join(words), "_".join(reversed(words))):
            if scale in SCALES:
                accidental = {"#": 1, "sharp": 1, "b": -1, "flat": -1}.get(found["accidental"] or "", 0)
                return tuple(sorted((_NATURALS[found["root"]] + accidental + step) % 12 for step in SCALES[scale]))
    known = ", ".join(COMMON_FIRST).replace("_", " ")
    raise SettingsError(f"unknown scale {name!r}. Give a root and one of {known}, such as 'C major' or 'f#_dorian'.")
