"""All measures of voices in one table, and among the metrics of sets."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from strategies import part_rolls
from voice_music import in_beats, voices

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.bach_or_mock import BachOrMock
from pianoroll_seq2seq.evaluation.chorale_scores import score_chorales
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, mean_metrics
from pianoroll_seq2seq.evaluation.music_summary import summarize_music
from pianoroll_seq2seq.evaluation.part_metrics import PART_METRICS, has_voices
from pianoroll_seq2seq.evaluation.set_distance import compare_sets
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

GOOD = voices(s=in_beats(67, 69, 71, 72), b=in_beats(60, 65, 62, 64))
BAD = voices(s=in_beats(67, 69, 67, 69), b=in_beats(60, 62, 60, 62))


def test_scores_beside_the_data() -> None:
    """The figures of one set are those of the other, or are not those of the functions themselves."""
    scores = score_chorales([BAD, GOOD, BAD], [GOOD])
    assert scores.data.grade == 0
    assert scores.generated.grade == BachOrMock.fit([GOOD]).grade(BAD) > 0
    assert scores.generated.voice_leading["parallel fifths"] == 100 * 6 / 12
    assert scores.data.voice_leading["parallel fifths"] == 0
    assert (scores.generated.num_pieces, scores.data.num_pieces) == (3, 1)
    assert scores.data.memorized == {}
    content = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert content["generated"]["voice_leading"]["parallel fifths"] == 50
    text = str(scores)
    assert text.startswith("3 generated pieces and 1 of the data")
    (line,) = [line for line in text.splitlines() if "parallel fifths" in line]
    assert line.split()[-2:] == ["50.000", "0.000"]


def test_ranges_and_passages_are_those_of_the_training_pieces() -> None:
    training = [GOOD.transpose(-2)]
    scores = score_chorales([GOOD], [BAD], training=training, melody="s")
    assert scores.generated.memorized == {
        "8 frames": 0,
        "8 frames, transposed": 1,
        "16 frames": 0,
        "16 frames, transposed": 1,
    }
    assert scores.data.memorized["16 frames, transposed"] == 0
    assert scores.generated.voice_leading["range"] == 100 * 4 / 4  # 71 and 72 of the soprano; 65 and 64 of the bass
    assert scores.generated.grade == 0
    fitted = score_chorales([GOOD], [BAD], reference=BachOrMock.fit([BAD]), training=training)
    assert fitted.data.grade == 0 < fitted.generated.grade
    with pytest.raises(SettingsError, match="at least one piece"):
        score_chorales([], [GOOD])
    with pytest.raises(SettingsError, match="no part 'melody'"):
        score_chorales([GOOD], [GOOD], melody="melody")


def test_sets_with_voices_have_metrics_of_voices() -> None:
    """``compare_sets`` and the report say nothing of voice leading, or say it of music without voices."""
    pytest.importorskip("scipy")
    compared = compare_sets([BAD, GOOD], [GOOD, GOOD])
    assert set(compared.metrics) == {*METRICS, *PART_METRICS}
    assert compared.metrics["parallel_fifths"].generated_mean == 100 * 3 / 4 / 2
    assert summarize_music([BAD], [GOOD]).generated["parallel_fifths"] == 75
    assert set(compare_sets([BAD.merged()], [GOOD]).metrics) == set(METRICS)
    assert not PART_METRICS.keys() & mean_metrics([BAD.merged()]).keys()


def test_the_summary_has_the_median_grade() -> None:
    """The grade beside a run's music is that of one of its pieces, or of the data."""
    grading = BachOrMock.fit([GOOD])
    summary = summarize_music([BAD, GOOD, BAD], [GOOD], grading=grading)
    assert summary.generated["bach_or_mock"] == grading.grade(BAD) > 0
    assert summary.data["bach_or_mock"] == 0
    assert "bach_or_mock" not in summarize_music([BAD], [GOOD]).generated
    with pytest.raises(SettingsError, match="1 parts with pitches"):
        summarize_music([BAD.merged()], [GOOD], grading=grading)


def test_parts_with_chords_are_no_voices() -> None:
    """The piano of a song is reported to move in parallel fifths."""
    chord = PianoRoll.from_active(np.ones((4, 3), bool), pitches=PitchRange(60, 62))
    line = PianoRoll.from_active(np.ones((4, 1), bool), pitches=PitchRange(60, 60))
    assert has_voices(PianoRoll.stack({"a": line, "b": line}))
    assert not has_voices(PianoRoll.stack({"a": line, "b": chord}))
    assert not has_voices(line)
    assert all(math.isnan(metric(PianoRoll.stack({"a": line, "b": chord}))) for metric in PART_METRICS.values())


@given(part_rolls())
def test_metrics_of_any_piece(roll: PianoRoll) -> None:
    for name, metric in PART_METRICS.items():
        value = metric(roll)
        assert isinstance(value, float), name
        assert math.isfinite(value) or not has_voices(roll) or math.isnan(value), name
