"""Arguments as people write them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.cli.arguments import Shapes, normalised
from pianoroll_seq2seq.rasterize import Reading

SHAPES = Shapes(frozenset({"overwrite"}), frozenset({"output"}), None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("--batch-size 4", ["--batch_size=4"]),
        ("--batch_size=4 x", ["--batch_size=4", "x"]),
        ("--lowest -5", ["--lowest=-5"]),
        ("--overwrite x.mid", ["--overwrite=true", "x.mid"]),
        ("--overwrite false x.mid", ["--overwrite=false", "x.mid"]),
        ("--overwrite=false", ["--overwrite=false"]),
        ("--output a.mid b.wav --seed 1", ["--seed=1", '--output=["a.mid", "b.wav"]']),
        ("--output a.mid --output b.wav", ['--output=["a.mid", "b.wav"]']),
        ("--model.head.hidden 3", ["--head.hidden=3"]),
        ("--model.head x.Y", ["--head=x.Y"]),
        ("--model.header 3", ["--model.header=3"]),
        ("--on_epoch+=x.Y", ["--on_epoch+=x.Y"]),
        ("-h", ["--help"]),
        ("--print_config", ["--print_config"]),
    ],
)
def test_what_is_written_and_what_is_read(written: str, read: list[str]) -> None:
    """An option is taken for another, or a value for a file."""
    assert normalised(written.split(), SHAPES) == read


@given(
    st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1).filter(lambda s: s[0] != "-"))
)
def test_files_of_any_name_come_through(names: list[str]) -> None:
    """A file name with a quote, a bracket or a space is taken apart."""
    (option,) = normalised(["--output", *names], SHAPES)
    assert json.loads(option.removeprefix("--output=")) == names
    assert normalised(names, SHAPES) == names


def test_shapes_are_those_of_signatures() -> None:
    """A switch of a function's is not known as one."""

    def command(
        source: Path, runs: list[str], *, fast: bool = False, given: list[int] | None = None, **reading: Reading
    ) -> None: ...

    shapes = Shapes.of([command])
    assert shapes.lists == {"runs", "given"}
    assert shapes.switches >= {"fast"}
    assert shapes.rest == 1
    assert normalised(["a", "b", "c", "--fast"], shapes) == ["--fast=true", "a", '["b", "c"]']
