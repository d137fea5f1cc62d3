"""The contents of the README and the docs: blocks of code, commands, and marks that say how a block is run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,}|:{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=ticks) *$",
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(r"<!-- (not run|run with): (.+?) -->\s*\Z")
_COMMANDS = ("pianoroll-seq2seq ", "python ", "nox ", "pip install ", "torchrun ")
SHELLS = ("sh", "bash", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: the page.
        line: the line of its opening fence.
        info: the text after the fence: a language or a directive.
        text: its contents.
        how: ``not run`` or ``run with`` if a comment before it says so, otherwise empty.
        what: the reason, or what it is run with.
    """

    page: Path
    line: int
    info: str
    text: str
    how: str
    what: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def pages() -> list[Path]:
    """The README, how to contribute, and all pages of the docs, notebooks included."""
    built = DOCS / "_build"
    found = sorted([*DOCS.rglob("*.md"), *(DOCS / "tutorials").glob("*.py")])
    return [README, ROOT / "CONTRIBUTING.md", *(page for page in found if built not in page.parents)]


def text_of(page: Path) -> str:
    """Its text; for a notebook (``py:percent``) the text of its markdown cells, on the same lines."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    lines, is_text = [], False
    for line in text.splitlines():
        if line.startswith("# %%"):
            is_text = "[markdown]" in line
            lines.append("")
        else:
            lines.append(line.removeprefix("#").removeprefix(" ") if is_text else "")
    return "\n".join(lines) + "\n"


def blocks_of(page: Path) -> list[Block]:
    """Its fenced blocks in order."""
    text = text_of(page)
    found = []
    for fence in _FENCE.finditer(text):
        mark = _MARK.search(text[: fence.start()])
        how, what = mark.groups() if mark else ("", "")
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, line, fence["info"].strip(), fence["text"], how, what))
    return found


def every_block() -> list[Block]:
    """Those of all pages."""
    return [block for page in pages() for block in blocks_of(page)]


def is_executed_by_sphinx(page: Path) -> bool:
    """Whether the build of the docs runs its code cells."""
    return page.suffix == ".py" or "file_format: mystnb" in page.read_text(encoding="utf-8").partition("\n# ")[0]


def prose_of(page: Path) -> str:
    """Its text without fenced blocks."""
    return _FENCE.sub("", text_of(page))


def spans_of(page: Path) -> list[str]:
    """The texts between backticks, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose_of(page))]


def commands_of(page: Path) -> Iterator[str]:
    """Every command of the page, in blocks and between backticks, a line each."""
    for block in blocks_of(page):
        if block.info in SHELLS:
            for line in block.text.replace("\\\n", " ").splitlines():
                command = line.strip().removeprefix("$ ")
                if command and not command.startswith("#"):
                    yield command
    for span in spans_of(page):
        if span.startswith(_COMMANDS):
            yield span
