"""The files beside the code: the container, the citation, the lists of packages."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

import pianoroll_seq2seq
from pianoroll_seq2seq.backends.azureml import environments

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "examples" / "azureml" / "Dockerfile"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, each with its arguments."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_copies_what_is_there_and_may_be_copied() -> None:
    """The build ends at a path that has moved, or that .dockerignore keeps from it."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = [path for name, rest in instructions() if name == "COPY" for path in rest.split()[:-1]]
    assert copied
    assert all((ROOT / path).exists() for path in copied)
    assert set(copied) == allowed
    assert "*" in ignored


def test_the_container_has_what_the_library_and_its_wheel_need() -> None:
    """pip finds no README to build the wheel with, or installs extras that there are none of, or other versions."""
    (install,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    extras = re.findall(r'"\.\[([\w,-]+)\]"', install)[0].split(",")
    assert set(extras) <= PROJECT["project"]["optional-dependencies"].keys()
    assert {"plot", "azure"} <= set(extras)
    assert "--constraint constraints.txt" in install
    copied = " ".join(rest for name, rest in instructions() if name == "COPY")
    assert all(name in copied for name in (PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "src"))


def test_the_container_is_of_the_python_that_azure_runs_get_and_not_of_root() -> None:
    """What was tried in the container fails in the job, or leaves files on the host that only root may remove."""
    named = instructions()
    assert [rest for name, rest in named if name == "FROM"] == [f"python:{environments.PYTHON}-slim"]
    (user,) = [rest for name, rest in named if name == "USER"]
    assert user != "0"
    assert user.isdecimal()
    assert ("ENTRYPOINT", '["pianoroll-seq2seq"]') in named
    assert "pianoroll-seq2seq" in PROJECT["project"]["scripts"]


def test_the_citation_is_of_this_version() -> None:
    """A paper cites a version that never was."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == pianoroll_seq2seq.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["authors"] == [{"name": PROJECT["project"]["authors"][0]["name"]}]


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", "CITATION.cff", "changelog.d/README.md", "noxfile.py"]
)
def test_the_sdist_has_what_its_tests_read(path: str) -> None:
    """Whoever packages the library for a distribution runs its tests, and they fail for want of files."""
    kept = [each.lstrip("/") for each in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]]
    always = ("README.md", "LICENSE", "pyproject.toml")
    assert path in always or any(path == each or fnmatch(path, f"{each}/*") for each in kept)


def test_a_users_program_names_all_that_is_public() -> None:
    """A public name is typed for nobody: type checkers see only what tests/downstream names."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "downstream").glob("*.py"))
    assert [name for name in pianoroll_seq2seq.__all__ if not re.search(rf"\b{name}\b", text)] == []
