# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # On Azure
#
# The same training as a job of Azure Machine Learning. This page was built without an Azure account: cells that need
# one are marked as *not run here*. [Runs and files beyond one machine](../remote.md) has all steps, from an empty
# subscription to the costs.
#
# ## 1. A script that runs anywhere
#
# Only the tracker depends on Azure, and only in an Azure run.

# %%
from pathlib import Path

script = '''
"""Trains on the scale chords; run it here, or send it to Azure ML."""

import argparse
import os

from pianoroll_seq2seq import AzureMLTracker, BeatGrid, JsonlTracker, PianoRoll, PitchRange
from pianoroll_seq2seq import Seq2SeqLSTM, SlidingWindows, evaluate, fit
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
given = parser.parse_args()

pitches = PitchRange(42, 90)
rolls = [PianoRoll.from_score(score, grid=BeatGrid(1), pitches=pitches) for score in scale_chords().values()]
train, valid = (SlidingWindows(part, input_frames=12, target_frames=12, hop=12) for part in (rolls[26:], rolls[:26]))
model = Seq2SeqLSTM(train.layout, hidden_size=32)

on_azure = "AZUREML_RUN_ID" in os.environ
with AzureMLTracker() if on_azure else JsonlTracker("outputs/metrics.jsonl") as tracker:
    fit(model, train, valid, epochs=given.epochs, batch_size=32, checkpoint_dir="outputs/run",
        tracker=tracker, progress=False)
    scores = evaluate(model, valid)
    tracker.log_metrics({"valid_f1": scores.model.all.f1}, step=0)
print(scores)
'''
project = Path("my_project")
project.mkdir()
written = (project / "train.py").write_text(script)

# %% [markdown]
# ## 2. Try it here
#
# A job that fails on Azure costs ten minutes of waiting. The same mistake costs seconds here.

# %%
import subprocess
import sys

done = subprocess.run(
    [sys.executable, "train.py", "--epochs", "1"], cwd=project, capture_output=True, text=True, check=True
)
print(done.stdout)
sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())

# %% [markdown]
# Everything was written below `outputs/`, which Azure ML uploads by itself.
#
# ## 3. Send it
#
# *Not run here.* It needs a workspace (its `config.json` in this folder), a cluster, and `pip install
# "pianoroll-seq2seq[plot,azureml]"`:
#
# <!-- not run: needs an Azure workspace -->
# ```python
# from pianoroll_seq2seq.backends.azureml import open_workspace, submit
#
# run = submit(
#     "train.py",
#     ["--epochs", 50],
#     workspace=open_workspace(),
#     experiment="my-music",
#     compute="gpu-cluster",
#     source_directory="my_project",
#     gpu=True,
# )
# run.wait(show_log=True)
# run.metrics()["valid_loss"]
# run.fetch("music", prefix="outputs/")
# ```
#
# `submit` sends the folder and this library, as it is installed here. You can see without an account what the job's
# machine installs:

# %%
import json

from pianoroll_seq2seq.backends.azureml.environments import conda_specification, image

print(image(gpu=True))
print(json.dumps(conda_specification("v1"), indent=1))

# %% [markdown]
# ## 4. Files of the run
#
# Low-priority machines can be preempted at any moment, and their disk is lost. A *store* keeps checkpoints elsewhere,
# and the same call on another machine resumes from them. `LocalStore` and `AzureBlobStore` have the same methods.
# Here the store is a folder:

# %%
from pianoroll_seq2seq import LocalStore, pull_folder, push_folder

store = LocalStore("store")
push_folder(project / "outputs", store, "scales")
pull_folder(store, "fetched", "scales")
sorted(path.name for path in Path("fetched").rglob("*.safetensors"))

# %% [markdown]
# *Not run here*, the same with a container of Azure Storage, and a training that keeps its checkpoints there:
#
# <!-- run with: Azurite -->
# ```python
# from pianoroll_seq2seq import AzureBlobStore
#
# with AzureBlobStore("music") as store:  # STORAGE_ACCOUNT_NAME and STORAGE_ACCOUNT_KEY, or a login
#     push_folder("my_project/outputs", store, "scales")
#     fit(model, train, valid, epochs=50, batch_size=32, checkpoint_dir="run", checkpoint_store=store)
# ```
#
# ## 5. Music from a run
#
# A trained model can also generate on Azure, in a run of its own, as the article of 2017 did it. *Not run here:*
#
# ```sh
# pianoroll-seq2seq submit generate --model azureml://jobs/RUN --compute cpu-cluster --count 8 --beats 32
# ```
#
# The run logs the metrics of the music beside the losses of the model. See
# [Music from a run on Azure ML](../azure-music.md).
#
# ## 6. Music on request
#
# An endpoint of Azure ML runs `load_service` behind its server (`examples/azureml/score.py`). A service is a plain
# function from JSON to JSON:

# %%
from pianoroll_seq2seq import load_service

service = load_service("fetched/run/best.safetensors")
answer = service.answer(
    {"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 1}], "num_frames": 16, "seed": 7}
)
print(len(answer["notes"]), "notes, and the MIDI file as base64:", answer["midi"][:24], "...")

# %% [markdown]
# All of this was tested with Azure's own clients against a stand-in of the service, and Blob storage against
# Microsoft's emulator. [Nothing has been sent to Azure itself](../limits.md).
