"""Subsampled losses: unbiased, and the sounding pitches always among the scored ones."""

import pytest
import torch

from pianoroll_seq2seq.models.heads.loss_subsampling import FAR, sample_pitches


@pytest.mark.parametrize(("share_sure", "share_near"), [(0.05, 0.2), (0.0, 0.0), (0.6, 0.4), (0.3, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("count", [FAR + 2, 12])
def test_weighted_sums_over_a_sample_are_unbiased(share_sure: float, share_near: float, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, pitches = 4000, 20
    surely = (torch.rand(1, pitches, generator=generator) < share_sure).expand(rows, -1)
    nearby = (torch.rand(1, pitches, generator=generator) < share_near).expand(rows, -1)
    values = torch.rand(1, pitches, generator=generator).expand(rows, -1)
    torch.manual_seed(1)
    places, weights = sample_pitches(count, surely, nearby)
    assert places.shape == weights.shape == (rows, count)
    assert all(len(set(row)) == count for row in places[:50].tolist())
    estimates = (values.gather(1, places) * weights).sum(dim=1).double()
    error = (estimates.std() / rows**0.5).clamp(min=1e-6)
    assert (estimates.mean() - values[0].double().sum()).abs() < 5 * error


def test_required_pitches_are_always_scored_if_they_fit() -> None:
    surely = torch.zeros(50, 30, dtype=torch.bool)
    surely[:, [3, 8, 20]] = True
    places, weights = sample_pitches(10, surely, torch.zeros_like(surely))
    for row, weight in zip(places.tolist(), weights.tolist(), strict=True):
        assert {3, 8, 20} <= set(row)
        assert [weight[row.index(pitch)] for pitch in (3, 8, 20)] == [1.0, 1.0, 1.0]
