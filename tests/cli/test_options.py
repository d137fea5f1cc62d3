"""Options: how they are written, their types, and classes with their arguments."""

import io
import sys
import types
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal

import pytest
from cyclopts import Parameter
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.cli.class_options import ClassOption, plain_type
from pianoroll_seq2seq.cli.command import Command, UsageError, find_command, make_app, parse
from pianoroll_seq2seq.cli.main import COMMANDS
from pianoroll_seq2seq.cli.options import Count, OptionalCount


def record(
    *paths: Path,
    output: list[str] | None = None,
    size: Count = 3,
    limit: OptionalCount = 4,
    span: tuple[int, int] = (0, 0),
    fast: bool = False,
    sound: bool = True,
    kind: Literal["a", "b"] = "a",
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Records."""
    calls.append({"paths": paths, **{name: value for name, value in locals().items() if name != "paths"}})


calls: list[dict[str, object]] = []
RECORD = Command(record, examples="none")


def called(*tokens: str) -> dict[str, object]:
    calls.clear()
    parse("record", RECORD, tokens).run()
    return calls[0]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("--size 4", {"size": 4}),
        ("--size=4 x", {"size": 4, "paths": (Path("x"),)}),
        ("--span -5 6", {"span": (-5, 6)}),
        ("--fast", {"fast": True}),
        ("--fast x", {"fast": True, "paths": (Path("x"),)}),
        ("--no-fast", {"fast": False}),
        ("--no-sound", {"sound": False}),
        ("--output a.mid b.wav --size 1", {"output": ["a.mid", "b.wav"], "size": 1}),
        ("--output a.mid --output b.wav", {"output": ["a.mid", "b.wav"]}),
        ("--limit none", {"limit": None}),
        ("--kind b", {"kind": "b"}),
        ("a b c", {"paths": (Path("a"), Path("b"), Path("c"))}),
    ],
)
def test_how_options_are_written(tokens: str, expected: dict[str, object]) -> None:
    """An option is taken for another, or a value for a file."""
    found = called(*tokens.split())
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("--size many", 'Invalid value for --size: unable to convert "many" into int'),
        ("--size 3.5", "--size"),
        ("--size none", "--size"),
        ("--size 0", 'Invalid value "0" for --size. Must be >= 1.'),
        ("--limit 0", "--limit"),
        ("--size", "--size requires an argument"),
        ("--output", "--output requires at least 1"),
        ("--span 1", "--span requires 2"),
        ("--kind c", 'Choose from: "a", "b"'),
        ("--siez 3", "Unknown option: --siez. Did you mean --size?"),
        ("--no-quiet", "Unknown option: --no-quiet"),
        ("--size 3 --size 4", "specified multiple times"),
        ("--out a", "Unknown option: --out"),
    ],
)
def test_mistakes_name_the_option(tokens: str, message: str) -> None:
    """A slip is passed over, rounded, or guessed at."""
    with pytest.raises(UsageError) as caught:
        called(*tokens.split())
    assert message in str(caught.value)
    assert str(caught.value).endswith("See: pianoroll-seq2seq record --help")


names = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1).filter(lambda s: s[0] != "-")


@given(st.lists(names, min_size=1))
def test_file_names_come_through(files: list[str]) -> None:
    """A file name with a quote, a bracket, a space, or a character beyond 16 bits is taken apart."""
    assert called("--output", *files)["output"] == files
    assert [str(path) for path in called(*files)["paths"]] == [str(Path(name)) for name in files]  # type: ignore[attr-defined]


class Shape:
    """A class with arguments.

    Args:
        width: the width.
        names: some names.
        other: something that cannot be written as text.
        size: a size.
    """

    def __init__(
        self,
        frame_size: int,
        width: int,
        *,
        names: list[str] | None = None,
        other: object = None,
        size: float | type = 2.0,
    ) -> None: ...

    def draw(self) -> None: ...


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> ClassOption:
    """An option that finds :class:`Shape` by its name alone."""
    module = types.ModuleType("shapes")
    module.Shape = Shape  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shapes", module)
    return ClassOption("shape", module="shapes", filled_in=frozenset({"frame_size"}), methods=("draw",))


def test_arguments_of_a_class_are_options(shape: ClassOption) -> None:
    """The arguments of a class cannot be given, or are not of its types."""
    found: list[object] = []

    def run(*, shape: str | None = None, **arguments: object) -> None:
        found.extend((shape, arguments))

    command = Command(run, examples="none", class_options=(shape,))
    parse("x", command, ["--shape", "Shape", "--shape.width", "3", "--shape.names", "a", "b"]).run()
    assert found == ["Shape", {"shape__width": 3, "shape__names": ["a", "b"], "shape__size": 2.0}]
    choice = shape.choose("Shape", found[1])  # type: ignore[arg-type]
    assert choice is not None
    assert (choice.kind, choice.path) == (Shape, "shapes.Shape")
    assert choice.to_config() == {"class": "shapes.Shape", "width": 3, "names": ["a", "b"], "size": 2.0}
    for tokens, message in (
        (["--shape", "Shape"], "--shape.width is missing"),
        (["--shape", "Shape", "--shape.width", "w"], "--shape.width"),
        (["--shape", "Shape", "--shape.width", "1", "--shape.frame-size", "1"], "--shape.frame-size"),
        (["--shape", "Shape", "--shape.width", "1", "--shape.other", "1"], "--shape.other"),
        (["--shape.width", "1"], "--shape.width"),
    ):
        with pytest.raises(UsageError, match=message):
            parse("x", command, tokens)
    out = io.StringIO()
    with redirect_stdout(out):
        parse("x", command, ["--shape", "Shape", "--help"]).run()
    assert "--shape.width INT" in out.getvalue()
    assert "the width." in out.getvalue()


def test_types_that_can_be_written() -> None:
    """An argument is offered whose value no text can stand for."""
    assert plain_type(tuple[float | type, int]) == tuple[float, int]
    assert plain_type(int | None) == int | None
    assert plain_type(dict[str, int]) is None
    assert plain_type(type(None) | type) is None
    assert plain_type(tuple[int, ...]) == tuple[int, ...]
    assert plain_type(list[object]) is None


@pytest.mark.parametrize("words", [*sorted(COMMANDS.keys() - {"submit"}), "submit train", "submit generate"])
def test_every_option_has_help(words: str) -> None:
    """An option is listed without a word about it, or under a name that is not in kebab-case."""
    name, *own = words.split()
    name, command, _ = find_command(name, own)
    shown = [
        one
        for one in make_app(name, command, ["--help"]).assemble_argument_collection(parse_docstring=True)
        if one.show
    ]
    assert len(shown) > 1
    for argument in shown:
        text = argument.parameter.help
        assert text
        assert text.rstrip().endswith("."), text
        assert all("_" not in name for name in argument.names if name.startswith("--"))
