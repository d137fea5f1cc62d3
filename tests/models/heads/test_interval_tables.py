"""Sums of what intervals say, against a loop over sources and pitches."""

import numpy as np
import pytest
import torch

from pianoroll_seq2seq.models.heads import interval_tables
from pianoroll_seq2seq.models.heads.interval_tables import interval_sums

TABLES, HIGHEST, CHANNELS = 4, 6, 3
LOWEST, SIZE = 2, 4


@pytest.mark.parametrize("few_rows", [0, 64])
def test_each_source_says_what_its_interval_to_each_pitch_says(few_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows and many are looked up in two ways: what is trained would not be what is played."""
    monkeypatch.setattr(interval_tables, "_FEW_ROWS", few_rows)
    rng = np.random.default_rng(0)
    tables = torch.from_numpy(rng.normal(size=(TABLES, 2 * HIGHEST + 1, CHANNELS))).requires_grad_()
    sources = torch.from_numpy(rng.integers(-1, HIGHEST + 1, size=(7, TABLES)))
    sources[3] = -1  # nothing says anything
    expected = torch.zeros(7, SIZE, CHANNELS).double()
    for row, place, table in np.ndindex(7, SIZE, TABLES):
        source = int(sources[row, table])
        if source >= 0:
            interval = LOWEST + place - source
            expected[row, place] = expected[row, place] + tables[table, HIGHEST + interval]
    found = interval_sums(sources, tables, lowest=LOWEST, size=SIZE)
    torch.testing.assert_close(found, expected)
    weights = torch.from_numpy(rng.normal(size=expected.shape))
    gradients = [torch.autograd.grad((sums * weights).sum(), tables)[0] for sums in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert interval_sums(sources[:0], tables, lowest=LOWEST, size=SIZE).shape == (0, SIZE, CHANNELS)
