"""``studio``: a page on this machine to play with a model."""

from typing import Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.options import Count, Whole


def studio(
    models: Annotated[list[str] | None, Parameter(name="MODELS")] = None,
    /,
    *,
    port: Whole = 8765,
    browser: bool = True,
    threads: Count = 1,
    token: bool = True,
) -> None:
    """Serves a page on this machine where you draw or open music and models add to it, until Ctrl-C.

    Args:
        models: Folders of runs, or checkpoints, to choose from beside the models that come with the library.
        port: Port on 127.0.0.1; 0 takes a free one.
        browser: Do not open the page in the browser.
        threads: CPU threads for one piece.
        token: Let all users of this machine in: an address without a token.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
        CheckpointError: a model that cannot be opened.
        SettingsError: a port that is taken or out of range.
    """
    from pianoroll_seq2seq.studio import run_studio

    run_studio(models=models or (), port=port, open_browser=browser, threads=threads, token=token)


COMMAND = Command(
    studio,
    examples="""
    pianoroll-seq2seq studio
    pianoroll-seq2seq studio runs/mine runs/other --port 9000 --no-browser
    """,
)
