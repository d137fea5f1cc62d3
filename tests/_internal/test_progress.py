"""Progress bars in a notebook."""

import subprocess
import sys

NOTEBOOK = """
import sys, types
# What tqdm looks for to know that it is in a notebook:
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: None)
sys.modules["ipywidgets"] = None
"""


def run_in_notebook(script: str) -> str:
    command = [sys.executable, "-c", NOTEBOOK + script]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stderr


def test_no_warning_in_a_notebook_without_ipywidgets() -> None:
    """The first import in every notebook ends with a red block about widgets that nobody asked for."""
    modules = "train.run train.loop sampling stores.sync stores.local data.corpus.build data.datasets.folder"
    modules += " data.datasets.bach_chorales cli.inspection cli.render stores.azure_blob.download"
    stderr = run_in_notebook(f"""
import importlib
for name in {modules.split()}:
    importlib.import_module(f"pianoroll_seq2seq.{{name}}")
""")
    assert stderr == ""


def test_the_bar_is_text_in_a_notebook_without_ipywidgets() -> None:
    """Without widgets there is no progress bar at all, or the first one fails."""
    stderr = run_in_notebook("""
from pianoroll_seq2seq._internal.progress import tqdm
list(tqdm(range(3), "read"))
""")
    assert "read: 100%" in stderr
    assert "3/3" in stderr
