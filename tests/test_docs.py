"""Every block of code and every command of the README and the docs: each runs, or says why it does not.

The build of the docs runs the code cells of notebooks, ``test_extending.py`` runs ``docs/extending.md``,
``tests/trackers/test_remote_page.py`` runs blocks marked ``run with: MLflow``, and ``tests/pretrained/test_hub.py``
those marked ``run with: the Hub``. All others run here.
"""

import ast
import importlib
import inspect
import json
import os
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from azurite import ACCOUNT, KEY, Azurite, azurite
from documents import (
    DOCS,
    README,
    ROOT,
    SHELLS,
    Block,
    blocks_of,
    commands_of,
    every_block,
    is_executed_by_sphinx,
    pages,
    prose_of,
    spans_of,
)
from shell_commands import check_command

from pianoroll_seq2seq import (
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    fit,
    pull_folder,
    push_folder,
    write_midi,
)
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

__all__ = ["azurite"]

NOT_RUN = {"needs an Azure workspace": 5, "needs a Dask cluster": 1, "needs Ray": 1}
"""For what reasons blocks may be left out, and how many are."""
RUN_WITH = {"Azurite": 4, "MLflow": 1, "the Hub": 1}
"""What some blocks need to run, and how many do."""
DIRECTIVES = {"toctree", "eval-rst", "glossary", "figure", "image", "note", "tip", "warning"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?:examples|docs|tests|benchmarks|src|changelog\.d)/[^\s<>*]*")


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_blocks(blocks: list[Block], namespace: dict[str, Any]) -> None:
    """One after another, as in a notebook."""
    namespace["__name__"] = "__main__"
    for block in blocks:
        exec(compile("\n" * block.line + block.text, str(block.page), "exec"), namespace)


def python_blocks(page: Path, run_with: str = "") -> list[Block]:
    return [block for block in blocks_of(page) if block.info == "python" and block.what == run_with]


WITH_BLOCKS = [page for page in pages() if page != README and python_blocks(page)]
WITH_AZURITE = [page for page in pages() if python_blocks(page, "Azurite")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that pages name: songs, and the folder of a run."""
    folder = tmp_path_factory.mktemp("prepared")
    roll = PianoRoll.from_score(scale_chords()["scale_c_major"], pitches=PitchRange(36, 96))
    windows = SlidingWindows([roll[:48]], input_frames=16, target_frames=16, hop=16)
    fit(
        Seq2SeqLSTM(windows.layout, hidden_size=8),
        windows,
        epochs=1,
        batch_size=4,
        checkpoint_dir=folder / "runs/demo",
        progress=False,
    )
    for name in ("song.mid", "runs/generated.mid", "runs/demo/generated.mid"):
        roll.to_midi(folder / name)
    for number, score in enumerate(list(scale_chords().values())[:8]):
        write_midi(score, folder / "lakh" / f"{number}.mid")
    PianoRoll.stack(dict.fromkeys(("MELODY", "BRIDGE", "PIANO"), roll)).to_midi(folder / "pop909/song.mid")
    for copy, original in (("my_midi", "lakh"), ("my_project/outputs", "runs/demo"), ("music", "runs/demo")):
        shutil.copytree(folder / original, folder / copy)
    return folder


@pytest.fixture
def reader(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> dict[str, Any]:
    """The names that pages use, in a folder with the files that they name."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    scores = list(scale_chords().values())[:6]
    rolls = [PianoRoll.from_score(score, pitches=PitchRange(36, 96))[:48] for score in scores]
    train, valid = (SlidingWindows(part, input_frames=16, target_frames=16, hop=16) for part in (rolls[:4], rolls[4:]))
    whole = [PianoRoll.from_score(score)[:32] for score in scores]
    return {
        "train": train,
        "valid": valid,
        "model": Seq2SeqLSTM(train.layout, hidden_size=8),
        "train_rolls": whole[:4],
        "valid_rolls": whole[4:],
    }


@pytest.mark.no_cover
def test_a_newcomer_can_paste_every_block_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    """The README's blocks, one after another and with nothing before them, do not run, or leave no music."""
    monkeypatch.chdir(tmp_path)
    run_blocks([block for block in blocks_of(README) if block.info == "python"], {})
    assert Path("continued.mid").stat().st_size > 100
    assert Path("runs/first/best.safetensors").exists()


@pytest.mark.no_cover
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=page_name)
def test_blocks_run(page: Path, reader: dict[str, Any]) -> None:
    """A block that a reader copies out of a page does not run."""
    run_blocks(python_blocks(page), reader)


@pytest.mark.parametrize("page", WITH_AZURITE, ids=page_name)
def test_blocks_run_with_azurite(
    page: Path, reader: dict[str, Any], azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for blocks that use Azure Storage, with Microsoft's emulator."""
    endpoint = f"BlobEndpoint={azurite.url}"
    connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoint};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    for name in ("STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    blocks = python_blocks(page, "Azurite")
    text = "".join(block.text for block in blocks)
    for container in set(re.findall(r'AzureBlobStore\("([^"]+)"', text)):
        with azurite.container_client(container) as client:
            if not client.exists():
                client.create_container()
    run_blocks(blocks, reader | {"fit": fit, "push_folder": push_folder, "pull_folder": pull_folder})


def test_what_is_not_run_is_counted() -> None:
    """Blocks that need something else grow in number until most of the docs is not run at all."""
    found = {how: Counter(block.what for block in every_block() if block.how == how) for how in ("not run", "run with")}
    assert found == {"not run": NOT_RUN, "run with": RUN_WITH}


@pytest.mark.parametrize("block", [block for block in every_block() if block.how == "not run"], ids=lambda b: b.place)
def test_what_is_not_run_calls_what_there_is(block: Block) -> None:
    """A function was renamed, or takes other arguments, and a block that is not run still has the old ones."""
    known: dict[str, Any] = {}
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pianoroll_seq2seq"):
            module = importlib.import_module(node.module)
            known |= {name.asname or name.name: getattr(module, name.name) for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
            inspect.signature(known[node.func.id]).bind(*node.args, **keywords)


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    """A block in a language of its own, or a cell on a page that is no notebook, escapes all of this."""
    for block in every_block():
        directive = re.match(r"\{([\w-]+)\}", block.info)
        if directive is None:
            assert block.info in ("python", "json", "yaml", "text", *SHELLS), f"{block.place}: {block.info!r}"
        elif directive[1] == "code-cell":
            assert is_executed_by_sphinx(block.page), (
                f"{block.place}: the page is no notebook, so nobody runs its cells"
            )
            assert not re.search("skip-execution|raises-exception", block.text.partition("\n\n")[0]), block.place
        elif directive[1] == "code-block":
            assert block.page == DOCS / "extending.md", f"{block.place}: nobody runs it"
        else:
            assert directive[1] in DIRECTIVES, f"{block.place}: {directive[1]}"
        if block.info == "json":
            json.loads(block.text)
        if block.info == "yaml":
            yaml.safe_load(block.text)


def test_no_code_hides_in_an_indented_block() -> None:
    """Code that is indented instead of fenced is neither coloured nor checked."""
    for page in pages():
        hidden = re.findall(
            r"^(?: {4}|\t)(?:python|nox|pip|pianoroll-seq2seq|from|import) .*", prose_of(page), re.MULTILINE
        )
        assert not hidden, f"{page_name(page)}: {hidden[0]!r}"


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_commands_are_understood(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page names a program, a script, a nox session, a file or an option that does not exist."""
    monkeypatch.chdir(tmp_path)
    for command in sorted(set(commands_of(page))):
        check_command(command)


def test_the_two_commands_are_the_readmes_first() -> None:
    """The first thing that a newcomer types must be on the first page, alone on its line."""
    commands = re.findall(r"^pip install nox && nox -s (\w+)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands == ["demo", "tests"]


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_paths_lead_somewhere(page: Path) -> None:
    """A link of the README, or a path between backticks of any page, leads nowhere. (Other links: the docs' build.)"""
    links = _LINK.findall(prose_of(page)) if page.parent == ROOT else []
    for link in links:
        path, _, heading = link.partition("#")
        if "://" not in link:
            assert os.path.exists(page.parent / path), link
            if heading:
                assert heading in anchors(page.parent / path), link
    for span in spans_of(page):
        if (path := _PATH.match(span)) and "<" not in span:
            assert os.path.exists(ROOT / path[0]), span


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_tutorial_is_a_page() -> None:
    """A tutorial is missing from the table of contents, so nobody finds it."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(f"tutorials/{path.stem}\n" in index for path in (DOCS / "tutorials").glob("*.py"))


def test_extras_are_those_of_the_project() -> None:
    """A page names an extra that the project does not have."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    named = {
        extra
        for page in pages()
        for text in re.findall(r"(?:pianoroll-seq2seq|\.)\[([\w,-]+)\]", page.read_text(encoding="utf-8"))
        for extra in text.split(",")
    }
    assert named <= extras
