"""What a model is told of a piece besides its frames: its composer or scale, or the chord and the beat of each frame.

A condition is an array of numbers: of shape (size,) it holds for a whole piece, of shape (frames, size) it has a row
for each frame. Several kinds of it are laid side by side with ``numpy.concatenate``. Pitch classes are twelve numbers,
counted from C; they come first, so that they can be turned when the music is transposed.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from pianoroll_seq2seq.errors import SettingsError, ShapeError


def one_hot(labels: Sequence[Hashable], classes: Sequence[Hashable]) -> Float32[np.ndarray, "labels classes"]:
    """A row for each label, with a 1 at the place of its class.

    One label a piece gives the conditions of all pieces, one label a frame gives the condition of one piece.

    Args:
        labels: what to write as numbers.
        classes: all there are, in an order that stays the same for as long as the model is used.

    Raises:
        SettingsError: a class that stands there twice, or a label that is none of them.

    Example:
        >>> one_hot(["bach", "mozart"], classes=["bach", "haydn", "mozart"])
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    places = {kind: place for place, kind in enumerate(classes)}
    if len(places) < len(classes):
        raise SettingsError(f"Each class must stand once, got {list(classes)}.")
    unknown = [label for label in labels if label not in places]
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is none of the classes {list(classes)}. Add it to them.")
    rows = np.zeros((len(labels), len(classes)), dtype=np.float32)
    rows[np.arange(len(labels)), [places[label] for label in labels]] = 1
    return rows


def pitch_class_vector(pitch_classes: Iterable[int]) -> Float32[np.ndarray, "12"]:
    """Twelve numbers, from C upwards: 1 for each pitch class that is there.

    Args:
        pitch_classes: numbers in 0..11, 0 is C, as :func:`~pianoroll_seq2seq.splitting.pitch_class_set` gives them.

    Raises:
        SettingsError: a number out of range.

    Example:
        >>> pitch_class_vector({0, 4, 7}).astype(int)
        array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    """
    places = sorted(set(pitch_classes))
    if places and not 0 <= places[0] <= places[-1] <= 11:
        raise SettingsError(f"Pitch classes are numbers from 0 (C) to 11 (B), got {places}. Take pitches modulo 12.")
    vector = np.zeros(12, dtype=np.float32)
    vector[places] = 1
    return vector


@dataclass(frozen=True)
class Conditions:
    """The conditions of some pieces, one below the other in a table.

    Attributes:
        values: the table.
        first: the row of each piece's first frame.
        last: the row of its last, which stands for all frames beyond; the same row, where it holds throughout.
    """

    values: Float32[np.ndarray, "rows size"]
    first: Int64[np.ndarray, " pieces"]
    last: Int64[np.ndarray, " pieces"]

    @classmethod
    def of(cls, given: Sequence[np.ndarray] | np.ndarray) -> "Conditions":
        """From one array a piece, (size,) or (frames, size).

        Raises:
            ShapeError: no conditions, or arrays of other shapes or of different sizes.
            SettingsError: numbers that are not finite.
        """
        tables = [np.asarray(each, dtype=np.float32) for each in given]
        for number, table in enumerate(tables):
            if table.ndim not in (1, 2) or not table.size or table.shape[-1] != tables[0].shape[-1]:
                raise ShapeError(
                    f"A condition has the shape (size,) or (frames, size), with the same size for every piece. "
                    f"That of piece {number} has the shape {table.shape}, that of piece 0 {tables[0].shape}."
                )
            if not np.isfinite(table).all():
                raise SettingsError(f"The condition of piece {number} has values that are not finite numbers.")
        if not tables:
            raise ShapeError("There are no conditions. Give one array for each piece, or None for none.")
        tables = [table.reshape(-1, table.shape[-1]) for table in tables]
        ends = np.cumsum([len(table) for table in tables], dtype=np.int64)
        return cls(np.concatenate(tables), np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends - 1)

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        return int(self.values.shape[1])

    @property
    def rows(self) -> Int64[np.ndarray, " pieces"]:
        """How many rows each piece has; 1 where one holds throughout."""
        rows: Int64[np.ndarray, " pieces"] = self.last - self.first + 1
        return rows

    def check_fit(self, frames: Int64[np.ndarray, " pieces"], names: Sequence[str]) -> None:
        """Whether they are of pieces of so many frames.

        Raises:
            ShapeError: conditions of another number or length.
        """
        if len(self.rows) != len(frames):
            raise ShapeError(
                f"{len(self.rows)} conditions for {len(frames)} pieces: give one for each, in their order."
            )
        wrong = np.flatnonzero((self.rows > 1) & (self.rows != frames))
        if len(wrong):
            piece = int(wrong[0])
            raise ShapeError(
                f"The condition of {names[piece] or f'piece {piece}'} has {self.rows[piece]} rows, but the piece has "
                f"{frames[piece]} frames. Give it a row for each frame, or one of shape (size,) for all."
            )

    def at(
        self, pieces: Int64[np.ndarray, " batch"], frames: Int64[np.ndarray, "batch frames"]
    ) -> Float32[np.ndarray, "batch frames size"]:
        """The conditions of some frames of some pieces, each counted from the beginning of its piece."""
        rows = np.minimum(self.first[pieces][:, None] + frames, self.last[pieces][:, None])
        conditions: Float32[np.ndarray, "batch frames size"] = self.values[rows]
        return conditions


def turned(
    conditions: Float32[np.ndarray, "batch frames size"], steps: Int64[np.ndarray, " batch"]
) -> Float32[np.ndarray, "batch frames size"]:
    """Conditions whose first twelve numbers are pitch classes, after their music was moved by some semitones each."""
    sources = (np.arange(12) - steps[:, None]) % 12
    moved = conditions.copy()
    moved[..., :12] = np.take_along_axis(conditions[..., :12], sources[:, None], axis=2)
    return moved


def side_by_side(
    condition: Sequence[np.ndarray] | np.ndarray, count: int, *, frames: int = 1
) -> Float32[np.ndarray, "count frames size"]:
    """The conditions of pieces that are played side by side: all as long as the longest, each going on with its last.

    Args:
        condition: one array of shape (size,) for all; or one for each, (size,) or (frames, size).
        count: how many pieces there are.
        frames: how many frames a condition of several rows must have at least.

    Raises:
        ShapeError: conditions of another number or shape, or too short.
        SettingsError: numbers that are not finite.
    """
    for_all = isinstance(condition, np.ndarray) and condition.ndim == 1
    table = Conditions.of([np.asarray(condition)] * count if for_all else condition)
    if len(table.rows) != count:
        raise ShapeError(
            f"{len(table.rows)} conditions for {count} continuations: give one for each, or one of shape (size,) for "
            f"all."
        )
    short = np.flatnonzero((table.rows > 1) & (table.rows < frames))
    if len(short):
        raise ShapeError(
            f"The condition of continuation {short[0]} covers {table.rows[short[0]]} frames, but the primer and what "
            f"follows it have {frames}. Give it a row for each of them, or one of shape (size,) for all."
        )
    everything = np.broadcast_to(np.arange(table.rows.max()), (count, int(table.rows.max())))
    return table.at(np.arange(count), everything)
