"""The memory that training takes, measured in separate processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from large_corpus import BYTES, write_large_corpus

from pianoroll_seq2seq._internal.memory import _glibc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads and limits memory as Linux does")


def run(script: str, *arguments: object) -> list[str]:
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


_EPOCHS = """
import sys
import numpy as np
from pianoroll_seq2seq import JsonlTracker, PianoRoll, Seq2SeqLSTM, SlidingWindows, fit

def held():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1])

rolls = [PianoRoll.from_active(np.random.default_rng(0).random((400, 88)) < 0.1)]
windows = SlidingWindows(rolls, input_frames=16, target_frames=16, hop=8)
grown = []
with JsonlTracker(sys.argv[1] + "/events.jsonl") as tracker:
    fit(
        Seq2SeqLSTM(windows.layout, hidden_size=32, dropout=0.2), windows, windows, epochs=30, batch_size=8,
        ema_decay=0.9, tracker=tracker, checkpoint_dir=sys.argv[1] + "/run", progress=False,
        on_epoch=[lambda event: grown.append(held())],
    )
print(grown[9], grown[-1])
"""


def test_memory_does_not_grow_over_epochs(tmp_path: Path) -> None:
    """Every epoch leaks memory, until the system ends a long run."""
    after_ten, after_thirty = map(int, run(_EPOCHS, tmp_path))
    assert after_thirty - after_ten < 2 * 2**20


_LARGE = """
import resource, sys
import numpy as np
import torch
from pianoroll_seq2seq import Augmentation, Corpus, FrameLayout, Seq2SeqLSTM, SlidingWindows, fit

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
limit = int(status["VmData"].split()[0]) * 1024 + 192 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(256 * 2**20, np.uint8)
except MemoryError:
    print("limited")
corpus = Corpus(sys.argv[1])
windows = SlidingWindows(
    corpus, input_frames=32, target_frames=32, hop=int(sys.argv[2]), augmentation=Augmentation((-5, 6)),
    layout=FrameLayout.of(corpus, onsets=False),
)
model = Seq2SeqLSTM(windows.layout, hidden_size=8, num_encoder_layers=1, num_decoder_layers=1)
history = fit(model, windows, epochs=1, batch_size=64, checkpoint_dir=sys.argv[3], progress=False)
print(limit, len(windows), history.epochs[0].step)
"""


def test_training_on_a_corpus_four_times_the_memory(tmp_path: Path) -> None:
    """Training on more music than fits into memory fails."""
    shards = 400
    write_large_corpus(tmp_path / "corpus", shards)
    limited, limit, windows, steps = run(_LARGE, tmp_path / "corpus", 10_000, tmp_path / "run")
    assert limited == "limited"
    assert shards * BYTES > 4 * int(limit)
    assert int(windows) == shards * 2 * 10
    assert int(steps) == -(-int(windows) // 64)
    assert (tmp_path / "run" / "best.safetensors").exists()


_LENGTHS = """
import resource
import numpy as np
import torch
from pianoroll_seq2seq import BernoulliHead, CopyingLSTM, PianoRoll, PitchRange, WholePieces, fit, likelihood

torch.set_num_threads(1)
rng = np.random.default_rng(0)
lengths = rng.permutation(np.arange(720, 900, 60))
rolls = [PianoRoll.from_active(rng.random((length, 12)) < 0.2, pitches=PitchRange(60, 71)) for length in lengths]
pieces = WholePieces(rolls, max_frames_per_batch=1)  # each piece alone
model = CopyingLSTM(pieces.layout, hidden_size=8, num_copy_heads=1, head=BernoulliHead)
begun = []
fit(
    model, pieces, epochs=3, batch_size=1, progress=False,
    on_epoch=[lambda event: begun.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)],
)
print(begun[-1] - begun[0])
model.eval()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
likelihood(model, rolls * 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(_glibc() is None, reason="glibc alone can be made to keep memory")
def test_pieces_of_many_lengths_do_not_make_the_system_clear_memory_again_and_again() -> None:
    """A third of the processor time goes to page faults."""
    training, scoring = map(int, run(_LENGTHS))
    assert training < 10_000  # 80,000 as glibc does by itself
    assert scoring < 60_000  # 117,000


_GIVING_BACK = """
import numpy as np
import torch
from pianoroll_seq2seq import BernoulliHead, CopyingLSTM, PianoRoll, PitchRange, WholePieces, fit
from pianoroll_seq2seq.train import run

run._TRIM_SECONDS = 0.0
asked = []
run.trim_memory = lambda: asked.append(1)
roll = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
pieces = WholePieces([roll], max_frames_per_batch=1)
fit(CopyingLSTM(pieces.layout, hidden_size=4, head=BernoulliHead), pieces, epochs=2, batch_size=1, progress=False)
print(len(asked))
"""


def test_training_gives_freed_memory_back_from_time_to_time() -> None:
    """A process grows as long as it trains."""
    (count,) = run(_GIVING_BACK)
    assert int(count) >= 2
