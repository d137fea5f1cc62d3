"""``studio``: a page on this machine to play with a model."""

from pianoroll_seq2seq.cli.command import Command


def studio(models: list[str] | None = None, *, port: int = 8765, open_browser: bool = True, threads: int = 1) -> None:
    """Serves a page on this machine where one draws or brings a primer and hears a model go on from it, until Ctrl-C.

    Args:
        models: models to choose from beside the one that comes with the library: folders of runs, or checkpoints.
        port: where to listen on 127.0.0.1; 0 for any that is free.
        open_browser: whether to open the page in the browser.
        threads: of the CPU, for one piece.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
        CheckpointError: a model that cannot be opened.
        SettingsError: a port that is taken, or none; or fewer than one thread.
    """
    from pianoroll_seq2seq.studio import run_studio

    run_studio(models=models or (), port=port, open_browser=open_browser, threads=threads)


COMMAND = Command(
    studio,
    examples="""
    pianoroll-seq2seq studio
    pianoroll-seq2seq studio --models runs/mine runs/other --port 9000 --open_browser false
    """,
)
