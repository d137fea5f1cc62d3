"""Causal self-attention with rotary positions, over a whole sequence or one step at a time."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.models.layers.dropout import Dropout

_BASE = 10_000.0
_LEAST_CAPACITY = 64


@dataclass(frozen=True)
class RotaryPositions:
    """Turns pairs of features by angles that grow with the position (rotary position embedding).

    The product of a query and a key then depends on their distance only (RoFormer: Su et al., 2021,
    https://arxiv.org/abs/2104.09864).

    Args:
        sine: of the angle of each pair at each step, (steps, size / 2).
        cosine: the same.
    """

    sine: Tensor
    cosine: Tensor

    @classmethod
    def of(cls, begin: int, steps: int, size: int, like: Tensor) -> "RotaryPositions":
        """The positions of some steps.

        Args:
            begin: the position of the first step.
            steps: how many.
            size: features of a head, an even number.
            like: a tensor of the device and of the type; angles are of single precision at least.
        """
        dtype = torch.promote_types(like.dtype, torch.float32)
        position = torch.arange(begin, begin + steps, device=like.device, dtype=dtype)[:, None]
        angle = position * _BASE ** (-torch.arange(0, size, 2, device=like.device, dtype=dtype) / size)
        return cls(angle.sin(), angle.cos())

    def rotate(self, values: Tensor) -> Tensor:
        """Queries or keys (batch, heads, steps, size), rotated."""
        first, second = values.to(self.sine.dtype).chunk(2, dim=3)
        turned = [first * self.cosine - second * self.sine, second * self.cosine + first * self.sine]
        return torch.cat(turned, dim=3).to(values.dtype)


class _Buffer:
    """Memory for keys and values, each (batch, heads, capacity, size), and how many steps of it are used."""

    def __init__(self, keys: Tensor, values: Tensor, used: int) -> None:
        self.keys = keys
        self.values = values
        self.used = used

    def has_room_after(self, length: int) -> bool:
        """Whether the step after the first ``length`` is free, and may be written without a copy."""
        writable = torch.is_inference_mode_enabled() or not self.keys.is_inference()
        return writable and self.used == length < self.keys.shape[2]

    def copy(self, length: int) -> "_Buffer":
        """The first ``length`` steps in memory of their own, with room for as many more."""
        return _Buffer(_longer(self.keys, length), _longer(self.values, length), length)


def _longer(values: Tensor, length: int) -> Tensor:
    batch, heads, _, size = values.shape
    copied = values.new_zeros(batch, heads, max(_LEAST_CAPACITY, 2 * length), size)
    copied[:, :, :length] = values[:, :, :length]
    return copied


@dataclass(frozen=True)
class KeyValueCache:
    """The keys and values of all steps so far.

    A cache is a value: :meth:`append` returns another one, and does not change what this one holds. Both share memory
    that is allocated in advance. It is copied only if it is full, or if another continuation has used it.

    Args:
        buffer: the memory.
        length: the number of steps.
    """

    buffer: _Buffer
    length: int

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """A cache of keys and values, (batch, heads, steps, size)."""
        return cls(_Buffer(keys, values, keys.shape[2]), keys.shape[2])

    @property
    def keys(self) -> Tensor:
        """(batch, heads, length, size)."""
        return self.buffer.keys[:, :, : self.length]

    @property
    def values(self) -> Tensor:
        """(batch, heads, length, size)."""
        return self.buffer.values[:, :, : self.length]

    def append(self, key: Tensor, value: Tensor) -> "KeyValueCache":
        """The cache with one more step, (batch, heads, 1, size)."""
        if torch.is_grad_enabled():  # gradients need the memory that was read as it was
            return KeyValueCache.of(torch.cat([self.keys, key], dim=2), torch.cat([self.values, value], dim=2))
        length = self.length
        buffer = self.buffer if self.buffer.has_room_after(length) else self.buffer.copy(length)
        buffer.keys[:, :, length : length + 1] = key
        buffer.values[:, :, length : length + 1] = value
        buffer.used = length + 1
        return KeyValueCache(buffer, length + 1)


class CausalSelfAttention(nn.Module):
    """Multi-head attention of each step to itself and to those before it (Vaswani et al., 2017).

    Args:
        hidden_size: size of a step.
        num_heads: number of heads; each has ``hidden_size / num_heads`` features, an even number.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        """Builds the layers."""
        super().__init__()
        self.num_heads = num_heads
        self.qkv: nn.Linear = nn.Linear(hidden_size, 3 * hidden_size)
        self.out: nn.Linear = nn.Linear(hidden_size, hidden_size)

    def forward(self, values: Tensor, positions: RotaryPositions) -> tuple[Tensor, KeyValueCache]:
        """A whole sequence (batch, steps, hidden_size): the outputs, of the same shape, and the cache after it."""
        query, key, value = self._heads(values, positions)
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._joined(attended), KeyValueCache.of(key, value)

    def step(self, values: Tensor, positions: RotaryPositions, cache: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """The step (batch, 1, hidden_size) after those in the cache: its output, and the cache with it."""
        query, key, value = self._heads(values, positions)
        cache = cache.append(key, value)
        return self._joined(functional.scaled_dot_product_attention(query, cache.keys, cache.values)), cache

    def _heads(self, values: Tensor, positions: RotaryPositions) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, steps, size)."""
        batch, steps = values.shape[:2]
        query, key, value = self.qkv(values).view(batch, steps, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
        return positions.rotate(query), positions.rotate(key), value

    def _joined(self, attended: Tensor) -> Tensor:
        output: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return output


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each after layer normalization and added to its input (pre-norm).

    Normalizing first keeps gradients even at initialization, so training needs little warm-up (Xiong et al., 2020,
    https://arxiv.org/abs/2002.04745).

    Args:
        hidden_size: size of a step; the network is four times as wide.
        num_heads: heads of the attention.
        dropout: dropout probability of what is added. The attention's weights have none: with it PyTorch's fast kernels
            cannot be used.
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout: float) -> None:
        """Builds the layers."""
        super().__init__()
        self.attention_norm: nn.LayerNorm = nn.LayerNorm(hidden_size)
        self.attention: CausalSelfAttention = CausalSelfAttention(hidden_size, num_heads)
        self.network_norm: nn.LayerNorm = nn.LayerNorm(hidden_size)
        self.network: nn.Sequential = nn.Sequential(
            nn.Linear(hidden_size, 4 * hidden_size), nn.GELU(), nn.Linear(4 * hidden_size, hidden_size)
        )
        self.dropout: Dropout = Dropout(dropout)

    def forward(self, values: Tensor, positions: RotaryPositions) -> tuple[Tensor, KeyValueCache]:
        """A whole sequence (batch, steps, hidden_size): the outputs, of the same shape, and the cache after it."""
        attended, cache = self.attention(self.attention_norm(values), positions)
        return self._add(values, attended), cache

    def step(self, values: Tensor, positions: RotaryPositions, cache: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """The step (batch, 1, hidden_size) after those in the cache: its output, and the cache with it."""
        attended, cache = self.attention.step(self.attention_norm(values), positions, cache)
        return self._add(values, attended), cache

    def _add(self, values: Tensor, attended: Tensor) -> Tensor:
        values = values + self.dropout(attended)
        added: Tensor = values + self.dropout(self.network(self.network_norm(values)))
        return added
