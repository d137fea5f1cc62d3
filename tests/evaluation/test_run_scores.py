"""The scores in a run's folder: what the commands and scripts write comes back, all else is named."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, Predictor, Scores
from pianoroll_seq2seq.evaluation.run_scores import RunScores, read_scores

SCORES = Scores(2.5, 0.5, 0.25, 1 / 3)
EVALUATION = Evaluation(20, 3, Predictor(SCORES, SCORES), Predictor(SCORES, SCORES), Predictor(SCORES, SCORES))


def written(folder: Path, content: Any) -> Path:
    path = folder / "scores.json"
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    """A page shows other scores than those of the run."""
    content = {
        "best_epoch": 3,
        "test": asdict(EVALUATION),
        "music": {"polyphony": 2, "metrics": {"x": {"overlap": None}}, "scale_consistency": None},
        "primer_frames": 8,
        "data": {"training pieces": 10, "from": "here"},
        "test_nats": 1.5,
        "more": ["of", "a", "script"],
    }
    found = read_scores(written(tmp_path, content))
    assert found.test == EVALUATION
    assert found.music == {"polyphony": 2.0, "metrics": {"x": {"overlap": None}}, "scale_consistency": None}
    assert (found.primer_frames, found.data["from"], found.other) == (8, "here", {"test_nats": 1.5})
    assert read_scores(tmp_path / "none.json") == RunScores()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected object, got array"),
        ({"test": {**asdict(EVALUATION), "num_frames": -1}}, r"at \$\.test\.num_frames: expected int >= 0, got -1"),
        ({"test": {**asdict(EVALUATION), "model": 0.5}}, r"at \$\.test\.model: expected object, got float \(0\.5\)"),
        ({"primer_frames": 10**30}, r"at \$\.primer_frames: expected int <= 2147483648"),
        ({"music": {"polyphony": "much"}}, r"at \$\.music.*expected .*got str"),
        ({"music": {"polyphony": 10**400}}, r"at \$\.music.*out of range"),
        ({"data": [1]}, r"at \$\.data: expected object, got array"),
    ],
)
def test_other_content_is_named(tmp_path: Path, content: Any, message: str) -> None:
    """compare and report end in a raw exception."""
    with pytest.raises(SettingsError, match=rf"scores\.json.*{message}.*Remove the file, or run again"):
        read_scores(written(tmp_path, content))
