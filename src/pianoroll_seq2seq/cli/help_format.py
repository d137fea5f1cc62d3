"""The help of a command as plain text in two columns."""

import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_COLUMN = 28
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")


class HelpFormat:
    """Prints options as ``uv`` and ``ruff`` do: the option on the left, its help on the right."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """Prints a group of options."""
        width = min(console.width, 100)
        lines = [f"{panel.title}:"]
        for entry in panel.entries:
            label = f"  {_label(entry)}"
            wrapped = textwrap.wrap(_help(entry), max(width - _COLUMN, 30), break_on_hyphens=False) or [""]
            if len(label) > _COLUMN - 2:
                lines.append(label)
                label = ""
            lines.append(f"{label:{_COLUMN}}{wrapped[0]}".rstrip())
            lines += [" " * _COLUMN + line for line in wrapped[1:]]
        _print(console, "\n".join(lines) + "\n")

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        """Prints the usage line."""
        _print(console, f"Usage: {usage}")

    def render_description(self, console: "Console", options: "ConsoleOptions", description: Any) -> None:
        """Prints the docstring, without its sections. ``python -OO`` leaves all docstrings out."""
        width = min(console.width, 100)
        text = plain_text(description).strip()
        if not text:
            return
        paragraphs = text.split("\n\n")
        _print(
            console,
            "\n\n".join(textwrap.fill(paragraph, width, break_on_hyphens=False) for paragraph in paragraphs) + "\n",
        )


def plain_text(renderable: Any) -> str:
    """The text of a rich object, without the markup of the documentation; none of an object that prints nothing."""
    inner = getattr(renderable, "primary_renderable", renderable)
    text = inner if isinstance(inner, str) else str(getattr(inner, "plain", ""))
    return _ROLE.sub(r"\1", text).replace("``", "")


def _label(entry: "HelpEntry") -> str:
    """How the option is written."""
    if entry.positional_label:
        return entry.positional_label
    names = entry.negative_names if entry.default == "True" and entry.negative_names else entry.positive_names
    label = ", ".join([*entry.positive_shorts, *names])
    return f"{label} {'|'.join(entry.choices) if entry.choices else entry.metavar}" if entry.metavar else label


def _help(entry: "HelpEntry") -> str:
    text = " ".join(plain_text(entry.description).split())
    if entry.default not in (None, "True", "False", "[]"):
        text += f" [default: {entry.default.strip('()').replace(',', '')}]"
    return text + (" [required]" if entry.required and not entry.positional_label else "")


def _print(console: "Console", text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
