"""What a resumed run must have in common with the run it resumes: the model, the data and the settings."""

from collections.abc import Mapping
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.train.examples import Examples, condition_size_of
from pianoroll_seq2seq.train.loop import Loop


def describe_run(loop: Loop, monitor: str) -> dict[str, Any]:
    """The description of a run, under ``model``, ``data`` and ``run``, for JSON.

    Args:
        loop: the model, the examples, the optimizer and the configuration.
        monitor: the loss that decides which epoch is best.
    """
    return {
        "model": checkpoint.describe(loop.model),
        "data": _describe_data(loop.train),
        "run": _describe_settings(loop, monitor),
    }


def _describe_data(examples: Examples) -> Mapping[str, Any]:
    return {
        "layout": checkpoint.describe(examples.layout),
        "input_frames": examples.input_frames,
        "target_frames": examples.target_frames,
        "condition_size": condition_size_of(examples),
    }


def _describe_settings(loop: Loop, monitor: str) -> dict[str, Any]:
    config = loop.config
    return {
        "seed": config.seed,
        "batch_size": config.batch_size,
        "accumulate": config.accumulate,
        "windows": len(loop.train),
        "optimizer": type(loop.optimizer).__name__,
        "learning_rate": loop.base_rates[0],
        "clip_norm": config.clip_norm,
        "ema_decay": config.ema_decay,
        "augmentation": None if loop.train.augmentation is None else repr(loop.train.augmentation),
        # A schedule spans all epochs: a resumed run must have as many. Without one, epochs can be added.
        "scheduled_epochs": None if config.schedule is None else config.epochs,
        "monitor": monitor,
    }
