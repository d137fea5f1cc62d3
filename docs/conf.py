"""Sphinx configuration."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for notebooks.py
os.environ.setdefault("OMP_NUM_THREADS", "1")  # fastest for the small models of these pages

project = "pianoroll_seq2seq"
author = "The pianoroll_seq2seq developers"
copyright = "2026, the pianoroll_seq2seq developers"
release = version = installed_version("pianoroll-seq2seq")

extensions = [
    "myst_nb",
    "notebooks",
    "sphinx.ext.autodoc",
    "sphinx.ext.githubpages",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "*.py"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}  # the tutorials
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars and their warnings

suppress_warnings = ["ref.python"]  # axes in array types, such as "frames parts", look like references
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "pianoroll_seq2seq"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
napoleon_use_ivar = True  # attributes of a class are described once
