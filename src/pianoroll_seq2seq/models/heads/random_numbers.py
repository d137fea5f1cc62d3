"""The random numbers of the built-in distributions, with a stream of its own for each row of a batch.

Music should not depend on how many pieces are generated at once. A distribution that takes all its random numbers from
:func:`uniform`, and a sampler that only calls such distributions, may say so by ``rowwise = True`` beside the method.
Then a whole batch is sampled at once. All others are called for one row after another, each with its own generator.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

_BLOCK = 1024
"""Numbers that are drawn in advance for each row."""
_CPU = torch.device("cpu")


class _Streams:
    """The streams of all rows, and the numbers drawn in advance."""

    def __init__(self, seed: int, count: int, device: torch.device) -> None:
        self.seeds = [np.random.SeedSequence(int(seed) % 2**64, spawn_key=(row,)) for row in range(count)]
        self.generators = [np.random.default_rng(each) for each in self.seeds]
        self.torch_generators: dict[int, torch.Generator] = {}
        self.device = device
        self.numbers = np.empty((count, _BLOCK), dtype=np.float32)
        self.places = np.full(count, _BLOCK)  # the first number of each row that is not used yet
        self.place: int | None = _BLOCK  # the same, while it is one for all rows

    def draw_all(self, columns: int) -> np.ndarray:
        """The next numbers of every row, (count, columns)."""
        if self.place is None or columns > _BLOCK:
            return self.draw(np.arange(len(self.generators)), columns)
        if self.place + columns > _BLOCK:
            self.numbers = np.empty_like(self.numbers)  # earlier numbers may still be in use
            for row, generator in enumerate(self.generators):
                generator.random(out=self.numbers[row], dtype=np.float32)
            self.place = 0
        begin, self.place = self.place, self.place + columns
        return self.numbers[:, begin : self.place]

    def draw(self, rows: np.ndarray, columns: int) -> np.ndarray:
        """The next numbers of some rows, (rows, columns)."""
        if columns > _BLOCK:
            return np.stack([self.generators[row].random(columns, dtype=np.float32) for row in rows.tolist()])
        if self.place is not None:  # from now on the rows have places of their own
            self.numbers = self.numbers.copy()
            self.places.fill(self.place)
            self.place = None
        for row in rows[self.places[rows] + columns > _BLOCK].tolist():
            self.generators[row].random(out=self.numbers[row], dtype=np.float32)
            self.places[row] = 0
        drawn: np.ndarray = self.numbers[rows[:, None], self.places[rows][:, None] + np.arange(columns)]
        self.places[rows] += columns
        return drawn

    def torch_generator(self, row: int) -> torch.Generator:
        """PyTorch's generator of a row, for code that knows no other."""
        if row not in self.torch_generators:
            seed = int(self.seeds[row].generate_state(1, np.uint64)[0] >> np.uint64(1))
            self.torch_generators[row] = torch.Generator(self.device).manual_seed(seed)
        return self.torch_generators[row]


class RowGenerators(torch.Generator):
    """A generator for a batch. The numbers of row ``k`` depend on the seed and on ``k`` alone, not on the other rows.

    Args:
        seed: any integer; its lowest 64 bits count.
        count: rows of the batch.
        device: of the generators of single rows.

    Example:
        >>> few, many = (uniform((count, 3), generator=RowGenerators(5, count)) for count in (2, 9))
        >>> bool((few == many[:2]).all())
        True
    """

    _streams: _Streams
    _rows: np.ndarray | None

    def __new__(cls, *_: Any, **__: Any) -> "RowGenerators":
        """PyTorch's part of the object."""
        return super().__new__(cls)

    def __init__(self, seed: int, count: int, device: torch.device = _CPU) -> None:
        """Seeds the streams."""
        self._streams = _Streams(seed, count, device)
        self._rows = None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._streams.generators) if self._rows is None else len(self._rows)

    def select(self, rows: Tensor) -> "RowGenerators":
        """A generator of some rows, by their numbers in this one. It continues their streams."""
        chosen = torch.Generator.__new__(RowGenerators)
        own = np.arange(len(self)) if self._rows is None else self._rows
        chosen._streams, chosen._rows = self._streams, own[rows.cpu().numpy()]
        return chosen

    def generator(self, row: int) -> torch.Generator:
        """PyTorch's generator of one row, on the device of the batch; the same at every call."""
        own = row if self._rows is None else int(self._rows[row])
        return self._streams.torch_generator(own)

    def uniform(self, columns: int) -> Tensor:
        """The next numbers of each row, from [0, 1): (rows, columns)."""
        drawn = self._streams.draw_all(columns) if self._rows is None else self._streams.draw(self._rows, columns)
        return torch.from_numpy(drawn)


class RepeatedRows(torch.Generator):
    """A generator for a batch in which each row of another generator occurs several times, one after the other.

    For several samples of each distribution at once. They take different numbers from the stream of their row.

    Args:
        generator: of the rows.
        times: how often each row occurs.

    Example:
        >>> uniform((6, 5), generator=RepeatedRows(RowGenerators(5, 2), 3)).shape
        torch.Size([6, 5])
    """

    _generator: RowGenerators
    _times: int

    def __new__(cls, *_: Any, **__: Any) -> "RepeatedRows":
        """PyTorch's part of the object."""
        return super().__new__(cls)

    def __init__(self, generator: RowGenerators, times: int) -> None:
        """Takes the generator of the rows."""
        self._generator, self._times = generator, times

    def uniform(self, columns: int) -> Tensor:
        """The next numbers of each row, from [0, 1): (rows, columns)."""
        return self._generator.uniform(columns * self._times).reshape(-1, columns)


class SharedNumbers(torch.Generator):
    """A generator that gives every row of a batch the same numbers, for estimates that depend on no other row.

    Args:
        seed: any integer.

    Example:
        >>> numbers = uniform((2, 3), generator=SharedNumbers(5))
        >>> bool((numbers[0] == numbers[1]).all())
        True
    """

    _shared: torch.Generator

    def __new__(cls, *_: Any, **__: Any) -> "SharedNumbers":
        """PyTorch's part of the object."""
        return super().__new__(cls)

    def __init__(self, seed: int) -> None:
        """Seeds the numbers, which are drawn on the CPU: they are the same on every device."""
        self._shared = torch.Generator().manual_seed(seed)

    def uniform(self, columns: int) -> Tensor:
        """The next numbers of all rows, from [0, 1): (1, columns)."""
        return torch.rand(1, columns, generator=self._shared, dtype=torch.float32)


def uniform(shape: Sequence[int], *, generator: torch.Generator, device: torch.device | None = None) -> Tensor:
    """Random numbers from [0, 1), float32.

    Args:
        shape: the shape; the first dimension is the batch.
        generator: where they come from. Of :class:`RowGenerators` and :class:`RepeatedRows`, each row has its own; of
            :class:`SharedNumbers`, all rows have the same.
        device: of the result; a generator of PyTorch must be of the same.
    """
    if not isinstance(generator, RowGenerators | RepeatedRows | SharedNumbers):
        return torch.rand(tuple(shape), generator=generator, device=device, dtype=torch.float32)
    columns = 1
    for size in shape[1:]:
        columns *= size
    return generator.uniform(columns).to(device).expand(shape[0], -1).reshape(tuple(shape))


def is_rowwise(value: Any, method: str) -> bool:
    """Whether a distribution or a sampler says ``rowwise = True`` in the class that defines the method."""
    kind: type = type(value)
    return _says_rowwise(kind, method) and bool(value.rowwise)


@cache
def _says_rowwise(kind: type, method: str) -> bool:
    """Whether a class has the attribute beside the method. A subclass with another method must say it again."""
    owner = next((base for base in kind.__mro__ if method in base.__dict__), object)
    return "rowwise" in owner.__dict__
