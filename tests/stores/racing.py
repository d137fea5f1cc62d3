"""Processes that start a script at the same time."""

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack


def race(script: str, *arguments: Sequence[str]) -> list[str]:
    """Runs a script once for each list of arguments, and returns what each printed.

    The script prints a line when it is ready and waits for a line from its input; then it prints its answer.
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with ExitStack() as stack:
        runners = []
        for of_one in arguments:
            runner = stack.enter_context(
                subprocess.Popen([*command, *of_one], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(runner.kill)
            runners.append(runner)
        for runner in runners:
            assert runner.stdout is not None
            assert runner.stdout.readline()
        for runner in runners:
            assert runner.stdin is not None
            runner.stdin.write("go\n")
            runner.stdin.flush()
        return [runner.communicate(timeout=60)[0].strip() for runner in runners]
