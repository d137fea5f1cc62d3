"""The progress bar of all long operations: tqdm's, a widget in a notebook that has ``ipywidgets``, otherwise text."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # Without ipywidgets, tqdm.auto falls back to a bar of text, and says so in red in every notebook.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
