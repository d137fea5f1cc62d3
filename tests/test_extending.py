"""Follows docs/extending.md word for word in a copy of the library, and counts the files that change."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = "tests/contracts/test_contracts.py"
KINDS = {"A head": "TwoLayerHead", "A data set": "arpeggios", "A tracker": "CsvTracker"}
_BLOCK = re.compile(r"^```\{code-block\} (\w+)\n:caption: (\S+)\n\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A text of the page, and the file to write it to."""

    language: str
    path: str
    text: str


def sections() -> dict[str, list[Block]]:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return {
        title: [Block(*found) for found in _BLOCK.findall(text)]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def with_rows(text: str, difference: str) -> str:
    """The file with each added line after the line before it in the difference."""
    lines, before = text.splitlines(), None
    for line in difference.splitlines():
        assert line[:1] in (" ", "+"), f"neither kept nor added: {line!r}"
        if line[0] == "+":
            assert before is not None
            assert lines.count(before) == 1, f"{CONTRACTS} does not have this line exactly once: {before!r}"
            lines.insert(lines.index(before) + 1, line[1:])
        before = line[1:]
    return "\n".join(lines) + "\n"


def follow(blocks: list[Block], copy: Path) -> None:
    """Writes the files of a section."""
    for block in blocks:
        path = copy / block.path
        if block.language == "diff":
            path.write_text(with_rows(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        else:
            assert not path.exists()
            path.write_text(block.text, encoding="utf-8")


def contents(copy: Path) -> dict[str, str]:
    files = (path for path in copy.rglob("*.py") if path.is_file())
    return {path.relative_to(copy).as_posix(): path.read_text(encoding="utf-8") for path in files}


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the copy, which takes precedence over the installed library."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library and the tests of its contracts, in a folder of their own."""
    folder = tmp_path_factory.mktemp("library")
    left_out = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "src" / "pianoroll_seq2seq", folder / "src" / "pianoroll_seq2seq", ignore=left_out)
    shutil.copytree(ROOT / "tests" / "contracts", folder / "tests" / "contracts", ignore=left_out)
    for name in ("pyproject.toml", "tests/conftest.py", "tests/typechecker.py"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "tests" / "train").mkdir()
    return folder


def test_each_takes_one_file_and_one_row(copy: Path) -> None:
    """To add a head, a data set or a tracker, many files of the library must change."""
    by_title = sections()
    for title, name in KINDS.items():
        before = contents(copy)
        follow([block for block in by_title[title] if "/" in block.path], copy)
        after = contents(copy)
        new = after.keys() - before.keys()
        changed = {path for path in before if after[path] != before[path]}
        assert len(new) == 1, new
        assert changed == {CONTRACTS}
        added = [line for line in after[CONTRACTS].splitlines() if line not in before[CONTRACTS].splitlines()]
        assert len(after[CONTRACTS].splitlines()) == len(before[CONTRACTS].splitlines()) + 2
        imported, row = added
        assert imported.startswith("from pianoroll_seq2seq."), "the import that the row needs"
        assert imported.endswith(f" import {name}")
        assert row.startswith(f'    "{name}": ')


def test_what_was_added_fulfils_its_contract(copy: Path) -> None:
    """The page's own examples do not fulfil the contracts, and neither will a reader's."""
    done = run(
        copy, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", CONTRACTS, "-k", " or ".join(KINDS.values())
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    for name in KINDS.values():
        assert re.search(rf"^PASSED .*\[{name}[\]-]|^PASSED .*-{name}\]", done.stdout, flags=re.MULTILINE), name


def test_the_data_set_trains(copy: Path) -> None:
    """The last lines of the section on data sets do not run."""
    [script] = [block for block in sections()["A data set"] if block.path == "train_on_arpeggios.py"]
    (copy / script.path).write_text(script.text, encoding="utf-8")
    done = run(copy, "-W", "error", script.path)
    assert done.returncode == 0, done.stderr
