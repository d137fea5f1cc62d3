"""Conditions of a piece, which a model reads with its frames: a composer or scale, or the chord of each frame.

A condition is an array of numbers: of shape (size,) it applies to a whole piece, of shape (frames, size) it has a row
for each frame. Join several kinds of it with ``numpy.concatenate``. Pitch classes are twelve numbers, counted from C;
they come first, so that they can be transposed with the music.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from pianoroll_seq2seq.errors import SettingsError, ShapeError


def one_hot(labels: Sequence[Hashable], classes: Sequence[Hashable]) -> Float32[np.ndarray, "labels classes"]:
    """A row for each label, with a 1 in the column of its class.

    One label a piece gives the conditions of all pieces, one label a frame gives the condition of one piece.

    Args:
        labels: the labels to encode.
        classes: all classes, in an order that must not change while the model is used.

    Raises:
        SettingsError: a repeated class, or a label that is no class.

    Example:
        >>> one_hot(["bach", "mozart"], classes=["bach", "haydn", "mozart"])
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    columns = {label: column for column, label in enumerate(classes)}
    if len(columns) < len(classes):
        raise SettingsError(f"Each class must be named once, got {list(classes)}.")
    unknown = [label for label in labels if label not in columns]
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is not one of the classes {list(classes)}. Add it to them.")
    rows = np.zeros((len(labels), len(classes)), dtype=np.float32)
    rows[np.arange(len(labels)), [columns[label] for label in labels]] = 1
    return rows


def pitch_class_vector(pitch_classes: Iterable[int]) -> Float32[np.ndarray, "12"]:
    """Twelve numbers, from C upwards: 1 for each pitch class in the set, else 0.

    Args:
        pitch_classes: numbers in 0..11, 0 is C; see :func:`~pianoroll_seq2seq.data.splitting.pitch_class_set`.

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
    """The conditions of some pieces, concatenated into one table.

    Attributes:
        values: the table.
        first: the row of each piece's first frame.
        last: the row of its last frame, which also applies to all later frames; equal to ``first`` if one condition
            applies to the whole piece.
    """

    values: Float32[np.ndarray, "rows size"]
    first: Int64[np.ndarray, " pieces"]
    last: Int64[np.ndarray, " pieces"]

    @classmethod
    def of(cls, given: Sequence[np.ndarray] | np.ndarray) -> "Conditions":
        """From one array for each piece, of shape (size,) or (frames, size).

        Raises:
            ShapeError: no conditions, or arrays of other shapes or of different sizes.
            SettingsError: a number that is not finite.
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
            raise ShapeError("There are no conditions. Pass one array for each piece, or None for no conditions.")
        tables = [table.reshape(-1, table.shape[-1]) for table in tables]
        ends = np.cumsum([len(table) for table in tables], dtype=np.int64)
        return cls(np.concatenate(tables), np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends - 1)

    @classmethod
    def of_pieces(
        cls,
        given: Sequence[np.ndarray] | np.ndarray | None,
        num_frames: Int64[np.ndarray, " pieces"],
        names: Sequence[str],
        *,
        pitch_classes: bool,
    ) -> "Conditions | None":
        """The conditions of training pieces; None for no conditions.

        Args:
            given: one array for each piece, of shape (size,) or (frames, size); or None.
            num_frames: the frames of each piece.
            names: their names, for errors.
            pitch_classes: whether the first twelve numbers must be pitch classes.

        Raises:
            ShapeError: conditions of another number or length than the pieces, or of different sizes.
            SettingsError: pitch classes without conditions of at least twelve numbers.
        """
        conditions = None if given is None else cls.of(given)
        if conditions is not None:
            conditions.check_fit(num_frames, names)
        size = 0 if conditions is None else conditions.size
        if pitch_classes and size < 12:
            raise SettingsError(
                f"pitch_classes=True needs conditions whose first twelve numbers are pitch classes, got conditions of "
                f"size {size}. Put pitch_class_vector(...) first."
            )
        return conditions

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        return int(self.values.shape[1])

    @property
    def rows(self) -> Int64[np.ndarray, " pieces"]:
        """The number of rows of each piece; 1 if one condition applies to the whole piece."""
        rows: Int64[np.ndarray, " pieces"] = self.last - self.first + 1
        return rows

    def check_fit(self, num_frames: Int64[np.ndarray, " pieces"], names: Sequence[str]) -> None:
        """Checks that there is a condition for each piece, with a row for each of its frames or one row.

        Raises:
            ShapeError: another number of conditions or rows.
        """
        if len(self.rows) != len(num_frames):
            raise ShapeError(
                f"{len(self.rows)} conditions for {len(num_frames)} pieces. Pass one for each piece, in their order."
            )
        wrong = np.flatnonzero((self.rows > 1) & (self.rows != num_frames))
        if len(wrong):
            piece = int(wrong[0])
            raise ShapeError(
                f"The condition of {names[piece] or f'piece {piece}'} has {self.rows[piece]} rows, but the piece has "
                f"{num_frames[piece]} frames. Pass a row for each frame, or one of shape (size,) for all."
            )

    def at(
        self, pieces: Int64[np.ndarray, " batch"], frames: Int64[np.ndarray, "batch frames"]
    ) -> Float32[np.ndarray, "batch frames size"]:
        """The conditions of some frames of some pieces; frames are counted from the first of their piece."""
        rows = np.minimum(self.first[pieces][:, None] + frames, self.last[pieces][:, None])
        conditions: Float32[np.ndarray, "batch frames size"] = self.values[rows]
        return conditions


def transpose_chroma(
    conditions: Float32[np.ndarray, "batch frames size"], semitones: Int64[np.ndarray, " batch"]
) -> Float32[np.ndarray, "batch frames size"]:
    """Transposes the pitch classes in the first twelve columns of conditions, by an interval for each of the batch."""
    sources = (np.arange(12) - semitones[:, None]) % 12
    transposed = conditions.copy()
    transposed[..., :12] = np.take_along_axis(conditions[..., :12], sources[:, None], axis=2)
    return transposed


def stack_conditions(
    condition: Sequence[np.ndarray] | np.ndarray, count: int, *, num_frames: int = 1
) -> Float32[np.ndarray, "count frames size"]:
    """The conditions of a batch of pieces, all as long as the longest: a shorter one repeats its last row.

    Args:
        condition: one array of shape (size,) for all pieces; or one for each, (size,) or (frames, size).
        count: the number of pieces.
        num_frames: frames that a condition with several rows must cover.

    Raises:
        ShapeError: conditions of another number or shape, or with too few rows.
        SettingsError: a number that is not finite.
    """
    for_all = isinstance(condition, np.ndarray) and condition.ndim == 1
    table = Conditions.of([np.asarray(condition)] * count if for_all else condition)
    if len(table.rows) != count:
        raise ShapeError(
            f"{len(table.rows)} conditions for {count} continuations. Pass one for each, or one of shape (size,) for "
            f"all."
        )
    short = np.flatnonzero((table.rows > 1) & (table.rows < num_frames))
    if len(short):
        raise ShapeError(
            f"The condition of continuation {short[0]} covers {table.rows[short[0]]} frames, but the primer and what "
            f"follows it have {num_frames}. Pass a row for each of them, or one of shape (size,) for all."
        )
    frames = np.broadcast_to(np.arange(table.rows.max()), (count, int(table.rows.max())))
    return table.at(np.arange(count), frames)
