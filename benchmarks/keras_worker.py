"""Measures the Keras contender of train.py, which starts this program in an environment with TensorFlow.

    python benchmarks/keras_worker.py --data FILE --model 2017 --epochs 3

The model of the 2017 article in Keras, or the large one, trained by ``fit`` with validation after every epoch. It does
not use this library. An item is a training window, and its seconds include the validation at the end of the epoch. The
first epoch is a warm-up.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import resource
import time
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from keras import layers

FRAMES, DROPOUT = 50, 0.3


def build_parallel(frame_size: int, hidden_size: int) -> Any:
    """The model of 2017: all frames at once, from the encoder's last output."""
    return keras.Sequential(
        [
            keras.Input((FRAMES, frame_size)),
            layers.LSTM(hidden_size, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.LSTM(hidden_size),
            layers.Dropout(DROPOUT),
            layers.BatchNormalization(),
            layers.RepeatVector(FRAMES),
            layers.LSTM(hidden_size, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.LSTM(hidden_size, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.BatchNormalization(),
            layers.TimeDistributed(layers.Dense(frame_size, activation="sigmoid")),
        ]
    )


def build_teacher_forced(frame_size: int, hidden_size: int) -> Any:
    """Predicts every frame from those before it. Each decoder layer begins with the state of its encoder layer."""
    context, before = keras.Input((FRAMES, frame_size)), keras.Input((FRAMES, frame_size))
    outputs, *first = layers.LSTM(hidden_size, return_sequences=True, return_state=True)(context)
    _, *second = layers.LSTM(hidden_size, return_state=True)(layers.Dropout(DROPOUT)(outputs))
    outputs = layers.LSTM(hidden_size, return_sequences=True)(before, initial_state=first)
    outputs = layers.LSTM(hidden_size, return_sequences=True)(layers.Dropout(DROPOUT)(outputs), initial_state=second)
    frames = layers.TimeDistributed(layers.Dense(frame_size, activation="sigmoid"))(layers.Dropout(DROPOUT)(outputs))
    return keras.Model([context, before], frames)


def windows(data: Any, part: str) -> Any:
    """All windows of a part, as float32 (windows, input frames + target frames, pitches)."""
    found = []
    for piece in np.split(data[f"{part}_frames"], np.cumsum(data[f"{part}_lengths"])[:-1]):
        found += [piece[start : start + 2 * FRAMES] for start in range(0, len(piece) - 2 * FRAMES + 1, FRAMES)]
    return np.stack(found).astype(np.float32)


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Records when each epoch and its validation ended."""

    def __init__(self) -> None:
        """Records the start of the first epoch."""
        super().__init__()
        self.marks = [(time.perf_counter(), time.process_time())]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Records the time."""
        self.marks.append((time.perf_counter(), time.process_time()))


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", choices=("2017", "2x512"), default="2017")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    with np.load(options.data) as data:
        train, valid = windows(data, "train"), windows(data, "valid")
    frame_size, parallel = train.shape[2], options.model == "2017"
    model = build_parallel(frame_size, 64) if parallel else build_teacher_forced(frame_size, 512)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    (context, frames), (valid_context, valid_frames) = (
        (part[:, :FRAMES] if parallel else [part[:, :FRAMES], part[:, FRAMES - 1 : -1]], part[:, FRAMES:])
        for part in (train, valid)
    )
    clock = Clock()
    history = model.fit(
        context,
        frames,
        validation_data=(valid_context, valid_frames),
        epochs=options.epochs,
        batch_size=options.batch_size,
        callbacks=[clock],
        verbose=0,
    )
    epochs = np.diff(clock.marks, axis=0)
    seconds, cpu_seconds = (epochs.T / len(train)).tolist()
    facts = {
        "valid_losses": " ".join(f"{loss * frame_size:.5f}" for loss in history.history["val_loss"]),
        "cpu_share": float(epochs[:, 1].sum() / epochs[:, 0].sum()),
        "mem_max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "keras_version": version("keras"),
        "tensorflow_version": keras.backend.backend() + " " + tensorflow_version(),
    }
    measurement = {"name": "Keras", "values": seconds[1:], "warmups": seconds[:1], "facts": facts}
    print(json.dumps([measurement | {"cpu_values": cpu_seconds[1:]}]))


def tensorflow_version() -> str:
    """The version of the installed package, tensorflow or tensorflow-cpu."""
    import tensorflow

    return str(tensorflow.__version__)


if __name__ == "__main__":
    main()
