"""The tutorials as notebooks for Colab: made while the docs are built, into ``notebooks/`` beside their pages.

The built docs are published as the branch ``gh-pages``, from which Colab opens the notebooks.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupytext
from addresses import addresses
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TUTORIALS = Path(__file__).parent / "tutorials"
EXTRAS = "plot,audio,score,studio,datasets,metrics,azure"
"""Those with which the build of the docs runs the tutorials."""
_COLAB = "https://colab.research.google.com/github"
_BRANCH = "gh-pages"
_ROLE = re.compile(r"\{[\w:]+\}`~?(?:[\w.]+\.)?(\w+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


def install_line(version: str) -> str:
    """The first line of every notebook."""
    return f'%pip install --quiet "pianoroll-seq2seq[{EXTRAS}]=={version}"'


def notebook(path: Path, version: str) -> NotebookNode:
    """A tutorial as a notebook that installs what it needs, and whose links lead to the published docs."""
    book: NotebookNode = jupytext.read(path)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(_published, _ROLE.sub(r"`\1`", cell.source))
    book.cells.insert(0, new_code_cell(install_line(version), id="install"))
    for number, cell in enumerate(book.cells[1:]):
        cell.id = f"cell-{number}"  # the same at every build
    return book


def colab_address(name: str) -> str:
    """Where Colab opens the notebook of a tutorial."""
    repository = addresses()["Repository"].removeprefix("https://github.com/")
    return f"{_COLAB}/{repository}/blob/{_BRANCH}/notebooks/{name}.ipynb"


def with_links(name: str, source: str) -> str:
    """The source of a tutorial, with links to its notebook below the title."""
    badge = '<img src="../_static/colab.svg" alt="Open in Colab">'
    links = (
        f'<a href="{colab_address(name)}">{badge}</a> '
        f'<a href="../notebooks/{name}.ipynb" download>Download as a notebook</a>'
    )
    return re.sub(r"^(# # .+\n)", rf"\1#\n# {links}\n", source, count=1, flags=re.MULTILINE)


def setup(app: "Sphinx") -> dict[str, Any]:
    """Joins the build of the docs."""
    app.connect("source-read", _add_links)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_links(_app: "Sphinx", page: str, source: list[str]) -> None:
    if page.startswith("tutorials/"):
        source[0] = with_links(page.removeprefix("tutorials/"), source[0])


def _write(app: "Sphinx", error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        folder = Path(app.outdir) / "notebooks"
        folder.mkdir(exist_ok=True)
        for path in sorted(TUTORIALS.glob("*.py")):
            jupytext.write(notebook(path, app.config.version), folder / f"{path.stem}.ipynb")


def _published(link: re.Match[str]) -> str:
    """The same link to a page, in the published docs."""
    target, heading = link[1], link[2] or ""
    page = target.removeprefix("../").removesuffix(".md") if target.startswith("../") else f"tutorials/{target}"
    return f"]({addresses()['Documentation']}/{page}.html{heading})"
