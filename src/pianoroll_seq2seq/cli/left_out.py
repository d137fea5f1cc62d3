"""Files that a command left out: how many for each reason, the first names, and the option that helps."""

import re
from collections.abc import Mapping

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.cli.command import log
from pianoroll_seq2seq.cli.wording import in_options

_NAMES, _REASONS = 3, 12
"""How many are listed."""
_DETAIL = re.compile(r"'[^']*'|\d+(?:\.\d+)?|[A-G]#?-?\d\b")


def left_out_lines(refused: Mapping[str, str], num_used: int, *, kind: str = "files") -> list[str]:
    """The files that were left out, grouped by reason, the largest group first.

    Args:
        refused: why files were not used, by their paths.
        num_used: how many files were used.
        kind: what they are called, in the plural.

    Returns:
        No line if there are none. Otherwise their number, and a line for each reason.

    Example:
        >>> reason = "{}: {} notes are outside PitchRange(36, 81). Pass outside='drop' to leave them out."
        >>> refused = {name: reason.format(name, count) for count, name in enumerate(("a.mid", "b.mid"), start=5)}
        >>> for line in left_out_lines(refused | {"c.mid": "c.mid: not a MIDI file."}, 7):
        ...     print(line)
        left out: 3 of 10 files
          2 files (a.mid, b.mid): 5 notes are outside pitches 36 to 81. Add --outside drop to leave them out.
          c.mid: not a MIDI file.
    """
    if not refused:
        return []
    groups: dict[str, list[str]] = {}
    reasons = {path: printable(_without_path(path, in_options(reason))) for path, reason in refused.items()}
    for path, reason in reasons.items():
        groups.setdefault(_DETAIL.sub("", reason), []).append(path)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [f"left out: {len(refused)} of {len(refused) + num_used} {kind}"]
    lines += [f"  {_listed(paths, kind)}: {reasons[paths[0]]}" for paths in ordered[:_REASONS]]
    if len(ordered) > _REASONS:
        lines.append(
            f"  and {sum(map(len, ordered[_REASONS:]))} more {kind} for {len(ordered) - _REASONS} more reasons"
        )
    return lines


def log_left_out(refused: Mapping[str, str], num_used: int) -> None:
    """Logs the files that were left out; see :func:`left_out_lines`."""
    for line in left_out_lines(refused, num_used):
        log(line)


def _listed(paths: list[str], kind: str) -> str:
    """The first names of a group, and its size."""
    names = [printable(path) for path in paths[:_NAMES]]  # a name may hold the end of a line
    if len(paths) == 1:
        return names[0]
    return f"{len(paths)} {kind} ({', '.join(names)}{', ...' if len(paths) > _NAMES else ''})"


def _without_path(path: str, reason: str) -> str:
    """The reason without the path that it begins with."""
    before, found, after = reason.partition(f"{path}: ")
    return after if found and "\n" not in before else reason
