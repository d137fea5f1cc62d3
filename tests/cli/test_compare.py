"""The table of ``compare``, without training."""

from dataclasses import replace
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


def test_options_are_short_only_if_they_are_classes() -> None:
    """A number or a path is cut at its last point: 0.5 is shown as 5, and scales.v2/midi as v2/midi."""
    options = {"model.class": "pianoroll_seq2seq.Seq2SeqLSTM", "rate": 0.5, "data": "scales.v2/midi", "path": "/a.b"}
    runs = (run("first"), replace(run("second"), config=options))
    head, first, second = str(Comparison(runs, ("first", "second"))).splitlines()
    assert head.split()[-4:] == list(options)
    assert first.split()[-4:] == ["-", "-", "-", "-"]
    assert second.split()[-4:] == ["Seq2SeqLSTM", "0.5", "scales.v2/midi", "/a.b"]


def test_epochs_and_batch_size_have_one_column() -> None:
    """They are there only if the runs differ in them, or twice."""
    runs = tuple(
        replace(run(name), config={"epochs": epochs, "batch_size": 32}) for name, epochs in (("a", 1), ("b", 9))
    )
    head, first, _ = str(Comparison(runs, ("a", "b"))).splitlines()
    assert head.startswith("run  epochs  best epoch  batch size  minutes  validation")
    assert "batch_size" not in head
    assert first.split()[:5] == ["a", "1", "1", "32", "1.0"]
