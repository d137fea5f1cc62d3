"""The tutorials as notebooks for Colab, and the project's addresses, which they contain."""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from documents import DOCS, ROOT
from packaging.requirements import Requirement

import pianoroll_seq2seq

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TUTORIALS = sorted((DOCS / "tutorials").glob("*.py"))


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The part of the build of the docs that makes the notebooks."""
    monkeypatch.syspath_prepend(DOCS)
    yield importlib.import_module("notebooks")
    for name in ("notebooks", "addresses"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_has_the_cells_of_its_tutorial(path: Path, notebooks: Any) -> None:
    """Colab does not open a notebook, or it is not the page that one has read."""
    book = notebooks.notebook(path, pianoroll_seq2seq.__version__)
    text = nbformat.writes(book)
    again = nbformat.reads(text, as_version=4)
    nbformat.validate(again)
    assert text == nbformat.writes(notebooks.notebook(path, pianoroll_seq2seq.__version__))  # the same at every build
    code = [cell.source for cell in again.cells if cell.cell_type == "code"]
    source = path.read_text(encoding="utf-8")
    assert len(code) == 1 + len(re.findall(r"^# %%(?! \[markdown\])", source, re.MULTILINE))
    assert all(part.strip() in source for part in code[1:])
    assert again.cells[0].source == code[0]
    assert again.metadata.kernelspec.language == "python"


def test_the_first_cell_installs_this_version_with_what_the_tutorials_need(notebooks: Any) -> None:
    """The first cell fails, or a later one for want of a package."""
    line = notebooks.install_line(pianoroll_seq2seq.__version__)
    found = re.fullmatch(r'%pip install --quiet "(.+)"', line)
    assert found
    requirement = Requirement(found[1])
    assert requirement.name == PROJECT["name"]
    assert requirement.extras <= PROJECT["optional-dependencies"].keys()
    assert requirement.specifier.contains(pianoroll_seq2seq.__version__)
    session = (ROOT / "noxfile.py").read_text(encoding="utf-8").partition("def docs(")[2]
    built_with = re.search(r'extras="([\w,-]+)"', session)
    assert built_with
    assert requirement.extras == set(built_with[1].split(","))  # the build has run every tutorial with these


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_to_the_published_pages(path: Path, notebooks: Any) -> None:
    """A link that works on the page leads nowhere in Colab, or a reader sees Sphinx's markup."""
    book = notebooks.notebook(path, "1.0")
    texts = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert not re.search(r"\{[\w:]+\}`", texts)
    assert notebooks.notebook(path, "1.0").cells[1].source.startswith("# ")
    for link in re.findall(r"\]\(([^)\s]+)\)", texts):
        assert link.startswith("https://"), link
        if link.startswith(PROJECT["urls"]["Documentation"]):
            page = link.removeprefix(PROJECT["urls"]["Documentation"] + "/").partition(".html")[0]
            assert any((DOCS / f"{page}{ending}").exists() for ending in (".md", ".py")), link


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_tutorial_links_to_its_notebook(path: Path, notebooks: Any) -> None:
    """Nobody finds the notebooks, or Colab opens that of another page."""
    source = path.read_text(encoding="utf-8")
    shown = notebooks.with_links(path.stem, source)
    address = notebooks.colab_address(path.stem)
    owner = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    assert address == f"https://colab.research.google.com/github/{owner}/blob/gh-pages/notebooks/{path.stem}.ipynb"
    (added,) = set(shown.splitlines()) - set(source.splitlines())
    assert f'<a href="{address}">' in added
    assert f'<a href="../notebooks/{path.stem}.ipynb" download>' in added
    assert shown.index(added) < shown.index("\n\n# %%\n")
    assert (DOCS / "_static" / "colab.svg").exists()


def test_addresses_are_those_of_the_project() -> None:
    """A paper cites, or a page names, a repository that was moved."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    assert PROJECT["urls"]["Issues"].startswith(PROJECT["urls"]["Repository"] + "/")


def test_a_release_with_a_placeholder_is_refused(tmp_path: Path) -> None:
    """The package is published with the address of nobody."""
    (tmp_path / "docs").mkdir()
    for name in ("pyproject.toml", "CITATION.cff", "README.md", "docs/addresses.py", "docs/index.md"):
        shutil.copy(ROOT / name, tmp_path / name)

    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "docs" / "addresses.py")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    for name in ("pyproject.toml", "CITATION.cff"):
        path = tmp_path / name
        path.write_text(path.read_text(encoding="utf-8").replace("/OWNER", "/somebody"), encoding="utf-8")
    assert (check().returncode, check().stderr) == (0, "")
    for name in ("pyproject.toml", "CITATION.cff", "docs/index.md"):
        before = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(before + "# https://github.com/OWNER/pianoroll_seq2seq\n", encoding="utf-8")
        refused = check()
        assert refused.returncode == 1
        assert f"{name}:" in refused.stderr
        (tmp_path / name).write_text(before, encoding="utf-8")
