"""The README's code does what it says."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_a_newcomer_can_paste_every_block_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer runs the blocks one after another, as in a notebook, and has a MIDI file in the end."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert (tmp_path / "continued.mid").stat().st_size > 100
    assert (tmp_path / "runs" / "first" / "best.safetensors").exists()


def test_the_two_commands_are_what_nox_knows() -> None:
    """The first thing a newcomer types must exist."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    commands = re.findall(r"^pip install nox && nox -s (\w+)$", readme, flags=re.MULTILINE)
    assert commands == ["demo", "tests"]
    assert set(commands) <= set(sessions)


def test_every_path_the_readme_names_is_there() -> None:
    """Links and paths in the table must not lead nowhere."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    paths = re.findall(r"\]\(([^)#:]+)\)", readme) + re.findall(
        r"`((?:examples|docs|tests|benchmarks|src)/[^`]*)`", readme
    )
    assert paths
    for path in paths:
        assert os.path.exists(ROOT / path), path
