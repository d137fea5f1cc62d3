"""The one door for JSON from files: what comes through has the stated types, all else is one error."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from mutations import peak_growth

import pianoroll_seq2seq
from pianoroll_seq2seq._internal.documents import MAX_BYTES, MAX_DEPTH, convert, parse_json, read_json
from pianoroll_seq2seq.errors import CorpusError

FIX = "Build it again."


class Shard(Struct, frozen=True, forbid_unknown_fields=True):
    rows: Annotated[int, Meta(ge=0)]
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{4}$")] = "0000"


class Index(Struct, frozen=True):
    shards: tuple[Shard, ...] = ()
    share: float | None = None
    details: dict[str, Any] = {}
    named: dict[str, int] = {}


REFUSED = {
    '{"shards": [{"rows": 1}, {"rows": -1}]}': "f.json, at $.shards[1].rows: expected int >= 0, got -1. Build",
    '{"shards": [{"rows": "1"}]}': "f.json, at $.shards[0].rows: expected int, got str ('1'). Build it again.",
    '{"shards": [{"rows": 4.5}]}': "at $.shards[0].rows: expected int, got float (4.5)",
    '{"shards": [{"rows": true}]}': "expected int, got bool (True)",
    '{"shards": [{}]}': "f.json, at $.shards[0]: object missing required field rows. Build it again.",
    '{"shards": [{"rows": 1, "x\\u001b[1m": 2}]}': "object contains unknown field x\\x1b[1m",
    '{"shards": [{"rows": 1, "digest": "\\u001b]0;x"}]}': "got '\\x1b]0;x'",
    '{"shards": {}}': "at $.shards: expected array, got object ({})",
    '{"named": {"a": "b"}}': "f.json, at $.named[...]: expected int, got str. Build it again.",
    '{"share": NaN}': "f.json: damaged, or not JSON (JSON is malformed",
    '{"share": -Infinity}': "JSON is malformed",
    '{"share": 1e999}': "at $.share: number out of range",
    '{"details": {"a": 1e999}}': "number out of range",
    '{"share": %s}' % ("9" * 401): "at $.share: number out of range",
    '{"share": %s}' % ("9" * 5_000): "at $.share: number out of range",
    "[]": "f.json: expected object, got array ([]). Build it again.",
    "": "f.json: damaged, or not JSON (input data was truncated). Build it again.",
    '{"shards": [': "truncated",
    "{} {}": "trailing characters",
    '\ufeff{"share": 1}': "malformed",
    '{"details": %s}' % ("[" * 200_000): "nested too deep",
    '{"unknown": %s}' % ("[" * 200_000): "nested too deep",
    '{"details": "%s' % ('\\"' * 1_000_000): "truncated",
    f'{{"details": {"[" * MAX_DEPTH}{"]" * MAX_DEPTH}}}': "nested too deep",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    """Types, ranges, unknown fields, numbers that are not finite, and depth: the place and the value are named."""
    with pytest.raises(CorpusError) as refusal:
        parse_json(text.encode(), Index, "f.json", CorpusError, fix=FIX)
    message = str(refusal.value)
    assert REFUSED[text].lower() in message.lower()
    assert message.startswith("f.json")
    assert message.endswith(FIX)
    assert len(message) < 700
    path = tmp_path / "f.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=re.escape(str(path))):
        read_json(path, Index, CorpusError)


@pytest.mark.parametrize("small", ["[]", '{"":0}', "[[],[]]"])
def test_many_small_lists(small: str) -> None:
    """A text of 8 MB takes a gigabyte of memory."""
    text = f'{{"details": {{"a": [{",".join([small] * (4_000_000 // len(small)))}]}}}}'
    grown = peak_growth()
    with pytest.raises(CorpusError, match=r"f\.json: over 3\d{5} lists and objects in \d+ bytes\. Fix it\."):
        parse_json(text, dict[str, Any], "f.json", CorpusError, fix="Fix it.")
    assert grown() < 30


def test_many_larger_objects() -> None:
    """The history of a long run is refused for its many epochs."""
    epochs = [{"epoch": number, "train_loss": 1 / 3, "valid_loss": 1 / 7} for number in range(1000)] * 320
    assert parse_json(json.dumps(epochs), list[Any], "f.json", CorpusError, max_bytes=2**25) == epochs


def test_brackets_within_texts_are_not_depth() -> None:
    """A title of brackets, or one that ends in an escaped quote, counts as nesting."""
    details = {"title": '[{"' * MAX_DEPTH, "other": "]\\" * MAX_DEPTH}
    data = json.dumps({"details": details})
    assert parse_json(data, Index, "f.json", CorpusError).details == details


def test_others_may_add_fields() -> None:
    assert parse_json('{"share": 1, "added": [1]}', Index, "f.json", CorpusError) == Index(share=1.0)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(CorpusError, match=r"^f"):
        parse_json(b'{"details": {"a": "\xff"}}', Index, "f.json", CorpusError)


@pytest.mark.parametrize("text", ["caf\udce9", "\ud83d", "\udfff\ud800", "\U0001f3b5", "\\ud800", "\udce9" * 99])
def test_names_that_are_no_unicode(text: str) -> None:
    """The name of a file in an old encoding is refused, or becomes another one."""
    for value in ({"details": {text: text}}, {"named": {text: 1}}):
        found = parse_json(json.dumps(value), Index, "f.json", CorpusError)
        assert found == convert(value, Index, "f.json", CorpusError)
        assert text in found.details or text in found.named
    for wrong in ('{"named": {"a": %s}}', '{"share": NaN, "details": {"a": %s}}', '{"share": 1e999, "details": [%s]}'):
        with pytest.raises(CorpusError, match=r"^f"):
            parse_json(wrong % json.dumps(text), Index, "f.json", CorpusError)


TEXT = st.text(st.characters())
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT


@given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=5))
def test_any_value_in_any_field(value: Any) -> None:
    """Some value ends in an error of another kind, in either door."""
    for field in ("shards", "share", "details", "named"):
        for door in (_through_json, convert):
            try:
                door({field: value}, Index, "f", CorpusError)
            except CorpusError as error:
                assert str(error).startswith("f")  # noqa: PT017 (some values fit)


def _through_json(value: Any, kind: type[Index], where: str, error: type[CorpusError]) -> Index:
    return parse_json(json.dumps(value), kind, where, error)


def test_convert() -> None:
    """YAML knows infinity, and aliases that lead to themselves."""
    assert convert({"shards": [{"rows": 3}]}, Index, "f.yaml", CorpusError) == Index((Shard(3),))
    itself: list[Any] = []
    itself.append(itself)
    refused = {
        "f.yaml, at $.share: expected a finite number, got nan. Fix it.": {"share": float("nan")},
        "f.yaml, at $.details.a[1]: expected a finite number, got inf. Fix it.": {"details": {"a": [0, float("inf")]}},
        "f.yaml, at $.shards[0].rows: expected int >= 0, got -1. Fix it.": {"shards": [{"rows": -1}]},
        f"f.yaml: nested too deep, over {MAX_DEPTH} levels. Fix it.": {"details": {"a": itself}},
    }
    for message, value in refused.items():
        with pytest.raises(CorpusError, match=re.escape(message)):
            convert(value, Index, "f.yaml", CorpusError, fix="Fix it.")


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "a\0b", "x" * 300])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    """A named pipe waits for ever; a name may be no name."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorpusError, match=r"Build it again\.$"):
        read_json(tmp_path / name, Index, CorpusError, fix=FIX)


def test_size(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(b'{"named": {}}'.ljust(MAX_BYTES + 1))
    with pytest.raises(CorpusError, match="at most"):
        read_json(path, Index, CorpusError)
    grown = peak_growth()
    assert read_json(path, Index, CorpusError, max_bytes=2**30) == Index()
    assert grown() < 100


ELSEWHERE = {
    "_internal/documents.py": "the door itself",
    "_internal/yaml_files.py": "the door for YAML: plain values, bounded in size and depth",
    "data/corpus/processes.py": "what its own worker processes send, no file",
    "data/corpus/build.py": "what the same function has written: lists for tuples",
}


def test_there_is_no_other_door() -> None:
    """A file is parsed by hand again, and ends in a raw exception if it is damaged; or a pickle is read."""
    sources = Path(pianoroll_seq2seq.__file__).parent
    reads = re.compile(
        r"(?<!safetensors\.)\b(json|yaml|pickle|torch|marshal|tomllib)\.(\w*load|loads|decode|\w*Decoder)\b"
        r"|\bfrom (json|yaml|pickle|tomllib) import\b|\borjson\b|\bliteral_eval\b|\ballow_pickle=True\b"
    )
    found = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if reads.search(path.read_text(encoding="utf-8"))
    }
    assert found == ELSEWHERE.keys()
