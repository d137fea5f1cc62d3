"""All commands of this project: ``nox -s demo``, ``nox -s tests``, and ``nox --list`` for the rest."""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typecheck", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
CONSTRAINTS = ("-c", "constraints.txt")
AZURITE = "azurite@3.35.0"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Models as small as the tests' are fastest on one thread, also when other sessions run beside them."""
SIDE_BY_SIDE = ["--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal"]
"""The cores share the tests; a process takes about 1 GB."""
COVERAGE = ["--cov", "--cov-report=term", "--cov-fail-under=90"]
PATIENT = "--override-ini=faulthandler_timeout=600"
"""For tests that start several programs one after another, each with a client of Azure ML that takes long to import."""
ELSEWHERE = "azureml or azureml_v2 or mlflow or inference or tensorboard or wandb"
"""Marks of tests that share no environment with the rest, and have a session of their own."""


def install(session: nox.Session, *, extras: str, groups: tuple[str, ...] = ()) -> None:
    """Installs the project (editable, so that a reused environment follows the code) and the packages of a session."""
    packages = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*CONSTRAINTS, "-e", f".[{extras}]", *packages)


def install_azurite(session: nox.Session) -> None:
    """Installs the emulator of Blob storage, once for all sessions."""
    installed = Path(".nox/azurite/node_modules/azurite").is_dir()
    if not installed and (shutil.which("npm") or os.environ.get("CI")):  # without npm, the tests that need it skip
        session.run("npm", "install", "--silent", "--prefix", ".nox/azurite", AZURITE, external=True)


@nox.session
def demo(session: nox.Session) -> None:
    """Trains on scales and chords, and writes music, pictures and scores to runs/demo."""
    install(session, extras="plot,audio")
    arguments = session.posargs or ["--output", "runs/demo"]
    session.run("python", "examples/train_scale_chords.py", *arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """Every behavior once, in minutes, with branch coverage; ``nox -s tests -- tests/cli`` runs one folder."""
    install(
        session,
        extras="fast,plot,audio,score,studio,live,datasets,metrics,azure,hub,sweep,tensorboard,wandb",
        groups=("test",),
    )
    install_azurite(session)
    arguments = session.posargs or [*SIDE_BY_SIDE, *COVERAGE]
    session.run("pytest", "-m", f"not (slow or {ELSEWHERE})", *arguments, env=ONE_THREAD)


@nox.session(venv_backend="none")
def tests_full(session: nox.Session) -> None:
    """Before a release: the tests marked slow too, eight times the examples, and every annotation checked."""
    more = ["--hypothesis-profile=full", "--check-types", "--override-ini=faulthandler_timeout=1800"]
    session.notify("tests", ["-m", f"not ({ELSEWHERE})", *SIDE_BY_SIDE, *COVERAGE, *more, *session.posargs])


@nox.session
def azureml(session: nox.Session) -> None:
    """The tests that need Azure ML's client (SDK v1)."""
    install(session, extras="plot,azureml", groups=("test", "azureml"))
    install_azurite(session)
    arguments = session.posargs or ["tests/trackers", "tests/backends"]
    session.run("pytest", "-m", "azureml", PATIENT, *arguments, env=ONE_THREAD)


@nox.session
def azureml_v2(session: nox.Session) -> None:
    """The tests that need Azure ML's client of SDK v2, which cannot be installed beside that of v1."""
    # azureml-mlflow wants older versions of these than are tested elsewhere.
    older = ("azure-storage-blob", "mlflow")
    lines = Path("constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = Path(session.create_tmp()) / "constraints.txt"
    constraints.write_text("\n".join(line for line in lines if not line.startswith(older)), encoding="utf-8")
    packages = nox.project.dependency_groups(PYPROJECT, "azureml")
    session.install("-c", str(constraints), "-e", ".[plot,azureml-v2]", "pathspec", "pytest", *packages)
    session.run("pytest", "-m", "azureml_v2", PATIENT, *(session.posargs or ["tests/backends"]), env=ONE_THREAD)


@nox.session
def trackers(session: nox.Session) -> None:
    """The tests that need TensorBoard, or Weights & Biases' client."""
    install(session, extras="plot,tensorboard,wandb", groups=("test",))
    arguments = session.posargs or ["tests/trackers", "tests/contracts"]
    session.run("pytest", "-m", "tensorboard or wandb", *arguments, env=ONE_THREAD)


@nox.session
def mlflow(session: nox.Session) -> None:
    """The tests that need MLflow's server, or Azure ML's inference server, which does not go with W&B's client."""
    install(session, extras="plot", groups=("test", "mlflow"))
    arguments = session.posargs or ["tests/trackers", "tests/contracts", "tests/test_score_script.py"]
    session.run("pytest", "-m", "mlflow or inference", *arguments, env=ONE_THREAD)


@nox.session
def oldest_numpy(session: nox.Session) -> None:
    """The tests of reading and of rolls with the oldest NumPy that is accepted, which adds small integers otherwise."""
    install(session, extras="plot,fast", groups=("test",))
    oldest = next(one for one in PYPROJECT["project"]["dependencies"] if one.startswith("numpy>="))
    session.install(oldest.replace(">=", "~=") + ".0")
    session.run("pytest", *(session.posargs or ["tests/midi_io", "tests/pianoroll", "tests/windowing"]), env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """Checks the format, lint, and that imports point one way."""
    session.install(*CONSTRAINTS, "--no-deps", "-e", ".")  # its code is not run
    session.install(*CONSTRAINTS, *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports", "--no-logo")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Runs mypy in strict mode."""
    install(session, extras="plot,audio,score,studio,datasets,metrics,azure,hub,sweep", groups=("types", "test"))
    session.run("mypy")


@nox.session(venv_backend="none")
def web(session: nox.Session) -> None:
    """Checks and tests the TypeScript of pages, and that the package's scripts are made from it."""
    if shutil.which("npm") is None:
        session.error("npm is not on the path. Install Node.js 20 or later (on Debian: apt-get install npm)")
    session.chdir("web")
    session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
    for script in ("check", "test", "compare"):
        session.run("npm", "run", script, external=True)


@nox.session
def package(session: nox.Session) -> None:
    """Builds and checks wheel and sdist, installs the wheel into an empty environment, and uses and type-checks it."""
    session.install(*CONSTRAINTS, *nox.project.dependency_groups(PYPROJECT, "package"))
    session.run("cffconvert", "--validate")
    session.run("hadolint", "examples/azureml/Dockerfile")
    folder = Path(session.create_tmp()).resolve()
    for before in folder.iterdir():
        shutil.rmtree(before) if before.is_dir() else before.unlink()
    session.run("check-sdist", "--no-isolation", env=tracked(session, folder))
    session.run("python", "-m", "build", "--outdir", f"{folder}/dist")
    session.run("twine", "check", "--strict", *map(str, (folder / "dist").iterdir()))
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder / "source", filter="data")
    (package,) = (folder / "source").glob("*/src/pianoroll_seq2seq")  # without caches of code that ran
    session.run("check-wheel-contents", "--package", str(package), str(wheel))
    session.run("python", "-m", "venv", f"{folder}/clean")
    use(session, wheel, folder / "clean", folder / "made")


@nox.session(venv_backend="none")
def release(session: nox.Session) -> None:
    """Before an upload: refuses addresses of the project that are placeholders."""
    session.run("python", "docs/addresses.py")


def tracked(session: nox.Session, folder: Path) -> dict[str, str]:
    """The environment in which git lists the project's files. An unpacked archive first becomes a repository."""
    if Path(".git").exists():
        return {}
    place = {"GIT_DIR": f"{folder}/git", "GIT_WORK_TREE": str(Path.cwd())}
    session.run("git", "init", "--quiet", env=place, external=True)
    session.run("git", "add", "--all", env=place, external=True)
    return place


def use(session: nox.Session, wheel: Path, environment: Path, made: Path) -> None:
    """Installs the wheel into an empty environment and uses it there as a user does."""
    python, program = f"{environment}/bin/python", f"{environment}/bin/pianoroll-seq2seq"

    def run(*arguments: str) -> None:
        session.run(*arguments, external=True)

    run(python, "-m", "pip", "install", "--quiet", *CONSTRAINTS, str(wheel))
    run(python, "-m", "pip", "check")
    run(program, "--version")
    run(program, "generate", "--output", f"{made}/music.wav")
    run(python, "tests/downstream/whole_way.py", str(made))
    # Code that needs optional packages is type-checked too, and one of them is used.
    run(python, "-m", "pip", "install", "--quiet", *CONSTRAINTS, f"{wheel}[audio,plot,score,studio,datasets]")
    run(program, "generate", "--output", f"{made}/music.flac")
    session.run("mypy", "--config-file", "tests/downstream/mypy.ini", "--python-executable", python, "tests/downstream")
    session.run("pyright", "--project", "tests/downstream", "--pythonpath", python)
    path = os.pathsep.join((f"{environment}/bin", session.bin, os.environ["PATH"]))  # for pyright
    run("env", f"PATH={path}", "pyright", "--verifytypes", "pianoroll_seq2seq", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Builds the documentation into docs/_build/html, with warnings as errors."""
    install(session, extras="plot,audio,score,studio,datasets,metrics,azure", groups=("docs",))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    session.log(f"Open {Path('docs/_build/html/index.html').resolve()}")


def keras(session: nox.Session) -> str:
    """The interpreter of an environment with Keras and TensorFlow, apart from PyTorch."""
    folder = Path(".nox/keras")
    python = str(folder / "bin" / "python")
    if not (folder / "ready").exists():
        session.run("python", "-m", "venv", str(folder))
        packages = nox.project.dependency_groups(PYPROJECT, "keras")
        session.run(python, "-m", "pip", "install", *CONSTRAINTS, *packages, external=True)
        (folder / "ready").touch()
    return python


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks: ``nox -s bench -- ingest FOLDER``, ``nox -s bench -- train``, ``nox -s bench -- gpu --help``."""
    install(session, extras="fast,plot,datasets,metrics", groups=("bench",))
    name, *arguments = session.posargs or ["scale_chords"]
    if name == "train" and "--keras-python" not in arguments:
        arguments += ["--keras-python", keras(session)]
    session.run("python", f"benchmarks/{name}.py", *arguments)
