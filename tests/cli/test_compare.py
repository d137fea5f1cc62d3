"""The table of ``compare``, without training."""

from pathlib import Path

import pytest

from pianoroll_seq2seq.cli.compare import Comparison, RunFacts
from pianoroll_seq2seq.evaluation.run_scores import RunScores
from pianoroll_seq2seq.train.history import Epoch, History


def run(name: str, **music: float) -> RunFacts:
    epoch = Epoch(epoch=1, step=1, train_loss=1.0, valid_loss=2.0, learning_rate=0.1, seconds=60.0)
    return RunFacts(Path(name), History([epoch], best_epoch=1), {}, RunScores(music=dict(music)))


@pytest.mark.parametrize("several", [False, True])
def test_voices_have_columns_if_a_run_has_some(*, several: bool) -> None:
    """The voice leading of a run is missing from the table, or all runs have empty columns for it."""
    plain = run("plain", polyphony=2.0)
    chorale = run("chorale", polyphony=4.0, parallel_fifths=0.25, parallel_octaves=0.125, pitch_consonance=0.5)
    runs = (plain, chorale) if several else (plain,)
    head, *rows = str(Comparison(runs, tuple(str(one.folder) for one in runs))).splitlines()
    assert ("parallel 5ths" in head) == ("consonance" in head) == several
    if several:
        assert rows[0].split()[-3:] == ["-", "-", "-"]
        assert rows[1].split()[-3:] == ["0.25", "0.12", "0.500"]
        assert Comparison(runs, ("a", "b")).to_json()["runs"][1]["music_parallel_fifths"] == 0.25
