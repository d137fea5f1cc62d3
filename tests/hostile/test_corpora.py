"""Corpora from strangers, or damaged on the way: the right music, or an error of the library, in little time."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_mutations import other_bytes
from data.corpus.sabotage import Inline, write_songs
from mutations import other_json, peak_growth

from pianoroll_seq2seq import (
    Corpus,
    FrameLayout,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    SlidingWindows,
    build_corpus,
    drop_duplicates,
)
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError

MOST_SECONDS, MOST_MEGABYTES = 5, 1000


@dataclass(frozen=True)
class Original:
    """A whole corpus, and what is in it."""

    songs: Path
    folder: Path
    settings: dict[str, Any]
    pieces: list[tuple[str, Any, PianoRoll]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Original]:
    """Corpora without velocities, with pitches that do not fill their bytes, and of several parts with velocities."""
    folder = tmp_path_factory.mktemp("originals")
    songs = write_songs(folder / "in", 5)
    (songs / "03b.mid").write_bytes(b"MThd")
    common: dict[str, Any] = {"executor": Inline(), "progress": False, "files_per_shard": 2, "labels": _labels}
    found = []
    kinds: dict[str, dict[str, Any]] = {
        "plain": {"velocity": False},
        "narrow": {"grid": SecondsGrid(0.05), "pitches": PitchRange(40, 90)},
        "parts": {"parts": ["MELODY", "PIANO"]},
    }
    for name, settings in kinds.items():
        corpus = build_corpus(songs, folder / name, **common, **settings)
        found.append(Original(songs, folder / name, common | settings, pieces_of(corpus)))
    return found


def _labels(path: Path) -> dict[str, str | int | float]:
    return {"style": "jazz", "size": path.stat().st_size, "share": 0.5}


def pieces_of(corpus: Corpus) -> list[tuple[str, Any, PianoRoll]]:
    """All that a corpus gives."""
    return list(zip(corpus.names, corpus.labels, list(corpus), strict=True))


@pytest.mark.parametrize("count", [pytest.param(60, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
def test_damaged(originals: list[Original], tmp_path: Path, count: int) -> None:
    """A corpus that was damaged gives other music in silence, or ends in a raw exception."""

    def attack(original: Original, choice: random.Random) -> None:
        corpus = Corpus(damaged(copied(original.folder, tmp_path / "mutant"), choice))
        corpus.verify()
        assert pieces_of(corpus) == original.pieces

    refused = attacked(attack, originals, count)
    assert count / 2 < refused < count  # some changes do not matter, such as those of plan.json


@pytest.mark.parametrize("count", [pytest.param(60, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
def test_forged(originals: list[Original], tmp_path: Path, count: int) -> None:
    """A corpus of a stranger, with valid hashes, ends in a raw exception or takes the machine's memory or time."""

    def attack(original: Original, choice: random.Random) -> None:
        corpus = Corpus(forged(original.folder, tmp_path / "mutant", choice))
        repr(corpus), corpus.failures, corpus.labels
        for roll in corpus:
            repr(roll), roll.to_score()
        layout = FrameLayout.of(corpus, onsets=True, velocity=corpus.has_velocity)
        sizes: dict[str, Any] = {"input_frames": 4, "target_frames": 4, "hop": 8, "short": "pad"}
        windows = SlidingWindows(drop_duplicates(corpus).rolls, layout=layout, **sizes)
        windows[len(windows) - 1]
        corpus.verify()

    attacked(attack, originals, count)


@pytest.mark.parametrize("count", [pytest.param(20, id="quick"), pytest.param(300, id="all", marks=pytest.mark.slow)])
def test_builds_that_go_on(originals: list[Original], tmp_path: Path, count: int) -> None:
    """An interrupted build that was damaged ends in a raw exception, or gives other frames."""

    def attack(original: Original, choice: random.Random) -> None:
        copy = copied(original.folder, tmp_path / "mutant")
        (copy / "manifest.json").unlink()
        build_corpus(original.songs, damaged(copy, choice), **original.settings).verify()

    attacked(attack, originals, count)


def attacked(attack: Callable[[Original, random.Random], None], originals: list[Original], count: int) -> int:
    """How many of the attacks end in an error of the library; another one is a failure."""
    refused, grown = 0, peak_growth()
    for seed in range(count):
        choice = random.Random(seed)
        begin = time.process_time()
        try:
            attack(choice.choice(originals), choice)
        except PianoRollSeq2SeqError as error:
            refused += 1
            assert len(str(error)) < 5_000  # noqa: PT017 (some mutants are valid)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error!s:.500}") from error
        assert time.process_time() - begin < MOST_SECONDS, f"seed {seed}"
    assert grown() < MOST_MEGABYTES
    return refused


def damaged(folder: Path, choice: random.Random) -> Path:
    """The folder, with one file that was changed, lost, or exchanged for another."""
    paths = sorted(folder.iterdir())
    path = choice.choice(paths)
    kind = choice.random()
    if kind < 0.4 and path.suffix == ".json":
        path.write_text(json.dumps(other_json(json.loads(path.read_text()), choice)))
    elif kind < 0.8:
        path.write_bytes(other_bytes(path.read_bytes(), choice))
    elif kind < 0.9:
        path.write_bytes(choice.choice(paths).read_bytes())
    else:
        path.unlink()
        choice.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), lambda: None])()
    return folder


def forged(original: Path, folder: Path, choice: random.Random) -> Path:
    """A copy with other values or frames, and with hashes that fit."""
    copy = copied(original, folder)
    manifest = json.loads((copy / "manifest.json").read_text())
    name = choice.choice(["00000", "00001", "00002"])
    index = json.loads((copy / f"{name}.json").read_text())
    kind = choice.random()
    if kind < 0.4:
        index = other_json(index, choice)
    elif kind < 0.8:
        other_json(manifest, choice)
    else:
        forge_array(choice.choice(sorted(copy.glob(f"{name}.*npy"))), index, choice)
    text = json.dumps(index)
    (copy / f"{name}.json").write_text(text)
    with contextlib.suppress(LookupError, TypeError):  # there may be no such place any more
        manifest["shards"][int(name)]["index_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    manifest.pop("sha256", None)
    manifest["sha256"] = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def forge_array(path: Path, index: Any, choice: random.Random) -> None:
    """Other numbers: onsets where no pitch sounds, or beyond the last pitch; velocities and counts out of range."""
    array, generator = np.load(path), np.random.default_rng(choice.randrange(2**32))
    information = np.iinfo(array.dtype)
    other = generator.integers(information.min, information.max, array.shape, array.dtype, endpoint=True)
    array = np.where(generator.random(array.shape) < choice.choice((0.01, 0.1, 1)), other, array)
    if choice.random() < 0.3:
        array.sort(axis=-1)
    np.save(path, array)
    begin = 0
    for piece in index["pieces"]:
        if array.ndim == 3:
            frames = array[:, piece["offset"] : piece["offset"] + piece["frames"]]
            piece["roll_sha256"] = hashlib.sha256(frames.tobytes()).hexdigest()
        elif array.dtype == np.uint8:
            values = array[begin : begin + piece["onsets"]]
            piece["velocity_sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
        begin += piece["onsets"]


def copied(original: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(original, folder))
