"""Calls that need optional packages, for type checkers."""

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
    PianoRoll,
    RelativeWindow,
    Score,
    Seq2SeqLSTM,
    SheetMusic,
    SlidingWindows,
    Store,
    TensorBoardTracker,
    Tracker,
    WandbTracker,
    compare_sets,
    describe_model,
    find_learning_rate,
    open_model,
    push_to_hub,
    read_pypianoroll,
    report_run,
    score_from_music21,
    score_to_music21,
    to_audio,
    to_sheet_music,
    write_pypianoroll,
    write_report,
)


def play_and_plot(roll: PianoRoll, history: History, evaluation: Evaluation, folder: Path) -> None:
    """Sound, pictures and pages."""
    sound = roll.to_audio()
    assert_type(sound, Audio)
    assert_type(to_audio(roll.to_score()), Audio)
    assert_type(sound.save(folder / "music.wav"), Path)
    assert_type(roll.to_sheet_music(one_page=True), SheetMusic)
    assert_type(to_sheet_music(roll.to_score()).save(folder / "music.pdf"), tuple[Path, ...])
    print(history.plot().get_title())
    assert_type(report_run(folder), Path)
    write_report(folder / "page.html", title="A run", pieces=[roll], evaluation=evaluation, history=history)


def convert(roll: PianoRoll, folder: Path) -> None:
    """Other libraries."""
    assert_type(score_from_music21(score_to_music21(roll.to_score())), Score)
    write_pypianoroll([roll], folder / "roll.npz")
    print(read_pypianoroll(folder / "roll.npz"))
    assert_type(compare_sets([roll], [roll]), MusicComparison)


def prepare(model: Seq2SeqLSTM, windows: SlidingWindows) -> None:
    """What helps to train."""
    print(describe_model(model), find_learning_rate(model, windows, batch_size=8))


def connect() -> tuple[Store, list[Tracker]]:
    """Azure, MLflow, TensorBoard and Weights & Biases."""
    trackers: list[Tracker] = [AzureMLTracker(), MLflowTracker("chorales")]
    trackers += [TensorBoardTracker("runs/one"), WandbTracker("chorales")]
    return AzureBlobStore("music", account_name="somebody"), trackers


def share(model: Seq2SeqLSTM) -> Seq2SeqLSTM:
    """The Hugging Face Hub."""
    assert_type(push_to_hub(model, "somebody/chorales", private=True), str)
    print(open_model("somebody/chorales", token=False).push_to_hub("somebody/copy"))
    return Seq2SeqLSTM.from_pretrained("hf://somebody/chorales", revision="v1")


def parameters_of(distribution: FrameDistribution) -> torch.Tensor:
    """A distribution of each kind."""
    if isinstance(distribution, Bernoulli | Notes):
        return distribution.logits
    if isinstance(distribution, NADE):
        return distribution.bias
    if isinstance(distribution, RelativeWindow):
        return distribution.mean
    return distribution.tempered(0.5).mean
