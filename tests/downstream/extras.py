"""What needs optional packages, as a user calls it: for type checkers."""

from pathlib import Path
from typing import assert_type

import torch

from pianoroll_seq2seq import (
    NADE,
    Audio,
    AzureBlobStore,
    AzureMLTracker,
    Bernoulli,
    Evaluation,
    FrameDistribution,
    History,
    MLflowTracker,
    MusicComparison,
    Notes,
    OnnxModel,
    PianoRoll,
    RelativeWindow,
    Score,
    Seq2SeqLSTM,
    SlidingWindows,
    Store,
    Tracker,
    compare_sets,
    describe_model,
    export_onnx,
    find_learning_rate,
    read_pypianoroll,
    report_run,
    score_from_music21,
    score_to_music21,
    to_audio,
    write_pypianoroll,
    write_report,
)


def hear_and_see(roll: PianoRoll, history: History, evaluation: Evaluation, folder: Path) -> None:
    """Sound, pictures and pages."""
    sound = roll.to_audio()
    assert_type(sound, Audio)
    assert_type(to_audio(roll.to_score()), Audio)
    assert_type(sound.save(folder / "music.wav"), Path)
    print(history.plot().get_title())
    assert_type(report_run(folder), Path)
    write_report(folder / "page.html", title="A run", pieces=[roll], evaluation=evaluation, history=history)


def hand_over(roll: PianoRoll, folder: Path) -> None:
    """Other libraries."""
    assert_type(score_from_music21(score_to_music21(roll.to_score())), Score)
    write_pypianoroll([roll], folder / "roll.npz")
    print(read_pypianoroll(folder / "roll.npz"))
    assert_type(compare_sets([roll], [roll]), MusicComparison)


def deploy(model: Seq2SeqLSTM, windows: SlidingWindows, roll: PianoRoll, folder: Path) -> None:
    """ONNX, and what it takes to train."""
    path = export_onnx(model, folder / "model.onnx")
    assert_type(path, Path)
    print(OnnxModel(path), describe_model(model), find_learning_rate(model, windows, batch_size=8))


def remotely() -> tuple[Store, list[Tracker]]:
    """Azure and MLflow."""
    return AzureBlobStore("music", account_name="somebody"), [AzureMLTracker(), MLflowTracker("chorales")]


def look_into(distribution: FrameDistribution) -> torch.Tensor:
    """A distribution, as what it is."""
    if isinstance(distribution, Bernoulli | Notes):
        return distribution.logits
    if isinstance(distribution, NADE):
        return distribution.bias
    if isinstance(distribution, RelativeWindow):
        return distribution.mean
    return distribution.tempered(0.5).mean
