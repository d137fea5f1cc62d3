"""The names that `import pianoroll_seq2seq` offers, and what it costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pianoroll_seq2seq


def test_import_loads_nothing_heavy() -> None:
    """`import pianoroll_seq2seq` takes seconds instead of milliseconds."""
    script = """
import sys
import pianoroll_seq2seq, pianoroll_seq2seq.errors
dir(pianoroll_seq2seq), pianoroll_seq2seq.__version__
heavy = {"torch", "numpy", "mido", "symusic", "matplotlib", "pretty_midi", "safetensors", "jaxtyping", "tqdm"}
print(sorted(heavy & set(sys.modules)))
"""
    assert _python(script) == "[]"


def test_stages_before_the_model_do_not_load_torch() -> None:
    """Reading and writing MIDI waits for PyTorch, which it has no use for."""
    names = "read_midi write_midi PianoRoll PitchRange SecondsGrid BeatGrid Score NoteTable TempoMap concatenate"
    names += " read_folder JsonlTracker History"
    script = f"import sys, pianoroll_seq2seq as p; [getattr(p, name) for name in {names.split()}]; "
    assert _python(script + "print('torch' in sys.modules, 'matplotlib' in sys.modules)") == "False False"


@pytest.mark.parametrize("name", pianoroll_seq2seq.__all__)
def test_each_name_resolves(name: str) -> None:
    """`from pianoroll_seq2seq import name` fails for a name that is promised."""
    value = getattr(pianoroll_seq2seq, name)
    assert value.__name__ == name
    assert value.__module__.startswith("pianoroll_seq2seq.")
    assert value is getattr(importlib.import_module(value.__module__), name)


def test_star_import_gives_all_names() -> None:
    """`from pianoroll_seq2seq import *` fails, or gives other names than the documentation lists."""
    names: dict[str, object] = {}
    exec("from pianoroll_seq2seq import *", names)
    assert {name for name in names if not name.startswith("__")} == set(pianoroll_seq2seq.__all__)


def test_type_checkers_and_python_see_the_same() -> None:
    """An editor knows a name that Python does not have, or has it from another module, or the other way round."""
    package = Path(pianoroll_seq2seq.__file__).parent
    seen: dict[str, object] = {}
    for statement in ast.parse((package / "__init__.pyi").read_text(encoding="utf-8")).body[1:]:  # behind its docstring
        if isinstance(statement, ast.AnnAssign):
            assert ast.unparse(statement) == "__version__: str"
            continue
        assert isinstance(statement, ast.ImportFrom)
        assert statement.level == 1
        for alias in statement.names:
            assert alias.asname == alias.name, "re-exports are spelled `import name as name`"
            assert alias.name not in seen
            home = importlib.import_module(f"pianoroll_seq2seq.{statement.module}")
            seen[alias.name] = getattr(home, alias.name)
    assert pianoroll_seq2seq.__all__ == sorted(seen)
    for name, value in seen.items():
        assert getattr(pianoroll_seq2seq, name) is value


def test_unknown_names_are_attribute_errors() -> None:
    """hasattr(), pickling and import machinery meet another error than the one they expect."""
    with pytest.raises(AttributeError, match="PainoRoll"):
        _ = pianoroll_seq2seq.PainoRoll
    assert not hasattr(pianoroll_seq2seq, "nothing_of_that_name")
    with pytest.raises(ImportError):
        exec("from pianoroll_seq2seq import PainoRoll")


def test_dir_lists_names_before_their_first_use() -> None:
    """Completion in a notebook offers nothing until a name was typed in full."""
    assert set(pianoroll_seq2seq.__all__) <= set(dir(pianoroll_seq2seq))
    script = "import pianoroll_seq2seq as p; print(set(p.__all__) <= set(dir(p)))"
    assert _python(script) == "True"


def _python(script: str) -> str:
    """What a fresh Python prints."""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout.strip()
