"""Models from strangers: changed at random, with valid checksums. Only the library's errors, in little time."""

import json
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_mutations import mutate_checkpoint, mutate_tensors, other_bytes
from mutations import other_json, peak_growth

from pianoroll_seq2seq import (
    CausalTransformer,
    CopyingLSTM,
    FrameLayout,
    NADEHead,
    ParallelSeq2SeqLSTM,
    PitchRange,
    RelativeBernoulliHead,
    Seq2SeqLSTM,
    open_model,
    save,
    save_pretrained,
)
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

pytestmark = pytest.mark.usefixtures("one_thread")

LAYOUT = FrameLayout(pitches=PitchRange(60, 66), planes=("active",))
MODELS: tuple[Callable[[], torch.nn.Module], ...] = (
    lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, condition_size=2, condition_dropout=0.5, block_frames=3),
    lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, num_copy_heads=2, attention=True, head=RelativeBernoulliHead),
    lambda: ParallelSeq2SeqLSTM(LAYOUT, hidden_size=4, block_frames=2, batch_norm=True, head=NADEHead),
    lambda: CopyingLSTM(LAYOUT, hidden_size=4, head=partial(RelativeWindowHead, channels=4, max_polyphony=3)),
    lambda: CausalTransformer(LAYOUT, hidden_size=4, num_layers=1, num_heads=1, num_copy_heads=1, head=NADEHead),
)
MOST_SECONDS, MOST_MEGABYTES = 5, 1000


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A checkpoint and a shared folder of each model."""
    folder = tmp_path_factory.mktemp("originals")
    paths = []
    for place, build in enumerate(MODELS):
        card = {"name": "a model", "tags": ["x"], "scores": {"nats": 1.5}}
        details = {"card": card, "data": {"pieces": 3}, "layout": LAYOUT}
        paths.append(save(build(), folder / f"{place}.safetensors", details=details))
        paths.append(save_pretrained(build(), folder / str(place), card=card))
    return paths


@pytest.mark.parametrize("count", [pytest.param(80, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
def test_mutants(originals: list[Path], tmp_path: Path, count: int) -> None:
    """A file from a stranger ends in a raw exception, or takes the machine's memory or time."""
    opened, grown = 0, peak_growth()
    for seed in range(count):
        choice = random.Random(seed)
        path = mutant(choice.choice(originals), tmp_path, choice)
        begin = time.process_time()
        try:
            trained = open_model(path)
            repr(trained), str(trained.card), trained.condition_size
            trained.generate(num_frames=4, seed=1)
            opened += 1
        except PianoRollSeq2SeqError as error:
            assert len(str(error)) < 20_000  # noqa: PT017 (some mutants are valid)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__} is no error of the library") from error
        assert time.process_time() - begin < MOST_SECONDS, f"seed {seed}"
    assert opened < count / 2  # most changes matter
    assert grown() < MOST_MEGABYTES


def mutant(original: Path, folder: Path, choice: random.Random) -> Path:
    """A changed copy of a checkpoint or a shared folder."""
    copy = folder / "mutant"
    shutil.rmtree(copy, ignore_errors=True)
    if original.is_dir():
        shutil.copytree(original, copy)
        if choice.random() < 0.3:
            mutate_tensors(copy / "model.safetensors", choice, is_checkpoint=False)
            change_json(copy / "config.json", lambda config: config.pop("weights_sha256"))
        elif choice.random() < 0.3:
            name = choice.choice(["model.safetensors", "config.json"])
            (copy / name).write_bytes(other_bytes((copy / name).read_bytes(), choice))
        else:
            change_json(copy / "config.json", lambda config: other_json(config, choice))
        return copy
    copy.mkdir()
    path = Path(shutil.copy(original, copy / "model.safetensors"))
    mutate_checkpoint(path, choice)
    return path


def change_json(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    changed = change(content)
    path.write_text(json.dumps(changed if isinstance(changed, dict) else content))
