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
import safetensors.torch
import torch
from checkpoint_models import HEADER
from mutations import other_json, peak_growth

from pianoroll_seq2seq import (
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
from pianoroll_seq2seq.checkpoint.files import CHECKSUM, checksum
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

pytestmark = pytest.mark.usefixtures("one_thread")

LAYOUT = FrameLayout(pitches=PitchRange(60, 66))
MODELS: tuple[Callable[[], torch.nn.Module], ...] = (
    lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, condition_size=2, condition_dropout=0.5, block_frames=3),
    lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, num_copy_heads=2, attention=True, head=RelativeBernoulliHead),
    lambda: ParallelSeq2SeqLSTM(LAYOUT, hidden_size=4, block_frames=2, batch_norm=True, head=NADEHead),
    lambda: CopyingLSTM(LAYOUT, hidden_size=4, head=partial(RelativeWindowHead, channels=4, max_polyphony=3)),
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
    kind = choice.random()
    if kind < 0.2:
        path.write_bytes(other_bytes(path.read_bytes(), choice))
    elif kind < 0.4:
        mutate_tensors(path, choice, is_checkpoint=True)
    else:
        rewrite(path, lambda header, tensors: (other_json(header, choice), tensors))
    return path


def change_json(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    changed = change(content)
    path.write_text(json.dumps(changed if isinstance(changed, dict) else content))


def rewrite(path: Path, change: Callable[[Any, Any], tuple[Any, dict[str, torch.Tensor]]]) -> None:
    """Changes the header and the tensors of a checkpoint, with a valid checksum."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    header, tensors = change(header, safetensors.torch.load_file(path))
    text = json.dumps(header)
    safetensors.torch.save_file(tensors, path, metadata={HEADER: text, CHECKSUM: checksum(text, tensors)})


OTHER_TENSORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "not a number": lambda tensor: tensor.float() * float("nan"),
    "large": lambda tensor: tensor.float() * 1e30,
    "beyond float32": lambda tensor: tensor.double() * 1e300,
    "half": lambda tensor: tensor.half(),
    "eighth": lambda tensor: tensor.float().to(torch.float8_e4m3fn),
    "whole": lambda tensor: tensor.float().int(),
    "truth": lambda tensor: tensor.float() > 0,
    "complex": lambda tensor: tensor.float().to(torch.complex64),
    "empty": lambda tensor: tensor.flatten()[:0].clone(),
    "flat": lambda tensor: tensor.flatten(),
    "longer": lambda tensor: torch.stack([tensor.float(), tensor.float()]),
}


def mutate_tensors(path: Path, choice: random.Random, *, is_checkpoint: bool) -> None:
    """Exchanges, adds or changes one to three of the tensors."""

    def change(header: Any, tensors: dict[str, torch.Tensor]) -> tuple[Any, dict[str, torch.Tensor]]:
        for _ in range(choice.randint(1, 3)):
            one, other = choice.choice(list(tensors)), choice.choice(list(tensors))
            kind = choice.choice(["exchange", "more", *OTHER_TENSORS])
            if kind == "exchange":
                tensors[one], tensors[other] = tensors[other].clone(), tensors[one].clone()
            elif kind == "more":
                tensors[f"{one}.more"] = torch.zeros(2)
            else:
                tensors[one] = OTHER_TENSORS[kind](tensors[one])
        return header, tensors

    if is_checkpoint:
        rewrite(path, change)
    else:
        safetensors.torch.save_file(change(None, safetensors.torch.load_file(path))[1], path)


def other_bytes(data: bytes, choice: random.Random) -> bytes:
    """Bytes of the header changed, removed or repeated."""
    changed = bytearray(data)
    for _ in range(choice.randint(1, 4)):
        at = choice.randrange(min(len(changed), 8 + int.from_bytes(data[:8], "little")))
        kind = choice.random()
        if kind < 0.5:
            changed[at] = choice.randrange(256)
        elif kind < 0.75:
            del changed[at : at + choice.randint(1, 9)]
        else:
            changed[at:at] = changed[at : at + choice.randint(1, 99)] * choice.randint(1, 9)
    return bytes(changed)
