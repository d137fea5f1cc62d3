"""YAML files with options or facts: a mapping of plain values, and no more of the language than that."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from yaml.events import AliasEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode

from pianoroll_seq2seq.errors import SettingsError

MAX_BYTES = 2**17
"""Size of the largest file that is read. A configuration takes 2 KB."""
MAX_DEPTH = 10
_MAX_BITS = 256
_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null"))


def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file: texts, numbers, booleans, nothing, and lists and mappings of them, by their names.

    Raises:
        SettingsError: not a regular file, too large, not YAML, not a mapping with names, or a file with aliases, other
            types of values, or deeper nesting than options have.
        OSError: the file cannot be read.
    """
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path}: expected a YAML file, but this is not a regular file.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{path}: expected options in YAML, at most {MAX_BYTES // 1024} KB, but it is larger.")
    try:
        content = yaml.load(data.decode("utf-8"), _PlainLoader)  # noqa: S506 (it is safer than safe_load)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise SettingsError(f"{path}: not YAML that can be read here ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"{path}: expected options with their values, such as 'epochs: 20', got {content!r:.80}.")
    return content


class _PlainLoader(yaml.SafeLoader):
    """Refuses what makes a small file large (aliases) or deep, repeated keys, and values other than plain ones."""

    def __init__(self, stream: str) -> None:
        """Reads a text."""
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """A node of the document."""
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, AliasEvent):
            raise _error(f"found the alias *{event.anchor}; write the value out", event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _error("nested too deep", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag not in _TAGS:
            raise _error(f"found a value of the type {node.tag}; quote it if it is a text", event)
        if isinstance(node, MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, ScalarNode)]
            repeated = [key for key, following in pairwise(sorted(keys)) if key == following]
            if repeated:
                raise _error(f"found {repeated[0]!r:.40} twice", event)
        return node

    def construct_yaml_int(self, node: ScalarNode) -> int:
        """A whole number. Hexadecimal digits may make one that is too long to show."""
        value = int(super().construct_yaml_int(node))
        if value.bit_length() > _MAX_BITS:
            raise ValueError(f"a number of {value.bit_length()} bits; at most {_MAX_BITS} are allowed")
        return value


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_yaml_int)


def _error(problem: str, event: Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]
