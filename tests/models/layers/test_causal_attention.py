"""Causal attention: positions are relative, and a cache is a value."""

import math

import torch

from pianoroll_seq2seq.models.layers.causal_attention import CausalSelfAttention, KeyValueCache, RotaryPositions


def heads(steps: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, steps, 8, generator=torch.Generator().manual_seed(seed)).double()


def test_the_product_of_a_query_and_a_key_depends_on_their_distance_only() -> None:
    query, key = heads(1).expand(-1, -1, 30, -1), heads(1, seed=1).expand(-1, -1, 30, -1)
    near, far = (RotaryPositions.of(begin, 30, 8, query) for begin in (0, 5000))
    product = near.rotate(query) @ near.rotate(key).transpose(2, 3)
    torch.testing.assert_close(far.rotate(query) @ far.rotate(key).transpose(2, 3), product)
    for distance in range(-29, 30):
        diagonal = product.diagonal(distance, dim1=2, dim2=3)
        torch.testing.assert_close(diagonal, diagonal[..., :1].expand_as(diagonal))
    assert len(product[0, 0, 0].unique()) == 30
    torch.testing.assert_close(near.rotate(query).norm(dim=3), query.norm(dim=3))


def test_attention_is_that_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    layer, values = CausalSelfAttention(12, 3).double(), torch.randn(2, 9, 12).double()
    positions = RotaryPositions.of(0, 9, 4, values)
    found, cache = layer(values, positions)
    query, key, value = layer._heads(values, positions)
    attended = torch.zeros_like(value)
    for step in range(9):
        scores = query[:, :, step : step + 1] @ key[:, :, : step + 1].transpose(2, 3) / math.sqrt(4)
        attended[:, :, step] = (scores.softmax(dim=3) @ value[:, :, : step + 1])[:, :, 0]
    torch.testing.assert_close(found, layer.out(attended.transpose(1, 2).flatten(2)))
    assert torch.equal(cache.keys, key)
    assert torch.equal(cache.values, value)


def test_a_cache_does_not_change_when_others_go_on_from_it() -> None:
    first = KeyValueCache.of(heads(3), heads(3, seed=1))
    with torch.no_grad():
        caches, expected = [first], [heads(3)]
        for number in range(200):
            origin = number // 2  # two continuations of each
            step = heads(1, seed=10 + number)
            caches.append(caches[origin].append(step, step))
            expected.append(torch.cat([expected[origin], step], dim=2))
    for cache, keys in zip(caches, expected, strict=True):
        assert torch.equal(cache.keys, keys)


def test_a_long_continuation_is_copied_seldom() -> None:
    """A copy at every step makes a piece take time in proportion to the square of its length, for copies alone."""
    cache, buffers = KeyValueCache.of(heads(3), heads(3, seed=1)), set()
    with torch.inference_mode():
        for _ in range(1000):
            cache = cache.append(heads(1), heads(1))
            buffers.add(cache.keys.data_ptr())
    assert cache.length == 1003
    assert len(buffers) <= 6
