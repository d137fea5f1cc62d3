"""What attacks on checkpoints share: other headers, tensors and bytes, with valid checksums."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from checkpoint_models import HEADER
from mutations import other_json

from pianoroll_seq2seq.checkpoint.files import CHECKSUM, checksum

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


def rewrite(path: Path, change: Callable[[Any, Any], tuple[Any, dict[str, torch.Tensor]]]) -> None:
    """Changes the header and the tensors of a checkpoint, with a valid checksum."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    header, tensors = change(header, safetensors.torch.load_file(path))
    text = json.dumps(header)
    safetensors.torch.save_file(tensors, path, metadata={HEADER: text, CHECKSUM: checksum(text, tensors)})


def mutate_checkpoint(path: Path, choice: random.Random, *parts: str) -> None:
    """Changes the bytes, the tensors or the header of a checkpoint; of the header only ``parts``, if any are given."""
    kind = choice.random()
    if kind < 0.2:
        path.write_bytes(other_bytes(path.read_bytes(), choice))
    elif kind < 0.4:
        mutate_tensors(path, choice, is_checkpoint=True)
    elif parts:
        rewrite(path, lambda header, tensors: (_other_parts(header, choice, parts), tensors))
    else:
        rewrite(path, lambda header, tensors: (other_json(header, choice), tensors))


def _other_parts(header: Any, choice: random.Random, parts: tuple[str, ...]) -> Any:
    """A header with other values below some of its entries, such as ``details.history``."""
    part = choice.choice(parts).split(".")
    holder = header
    for key in part[:-1]:
        holder = holder[key]
    holder[part[-1]] = other_json({"value": holder[part[-1]]}, choice).get("value")
    return header


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
