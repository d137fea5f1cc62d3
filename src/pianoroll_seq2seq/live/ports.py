"""MIDI ports, through mido's backend: which there are, and those of a conversation.

mido takes its backend from the environment variable ``MIDO_BACKEND``, python-rtmidi (extra ``live``) by default.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import mido

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import MidiPortError, MissingExtraError, SettingsError

VIRTUAL_NAME = "pianoroll-seq2seq"
"""The name of the virtual ports."""
WATCH_SECONDS = 1.0
"""How often the ports are looked for."""
_RTMIDI = "mido.backends.rtmidi"
_PORT_ERRORS = (OSError, RuntimeError, ValueError, NotImplementedError)
_VIRTUAL_HELP = (
    "Give the names of an input and an output. Windows has no virtual ports: make some with a program such as loopMIDI."
)


@dataclass(frozen=True)
class PortNames:
    """The MIDI ports of this machine.

    Args:
        inputs: names of ports to read from.
        outputs: names of ports to write to.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """Both lists."""
        return {"inputs": list(self.inputs), "outputs": list(self.outputs)}

    def __str__(self) -> str:
        """One line for each port."""
        return "\n".join([*_lines("input", self.inputs), *_lines("output", self.outputs)])


@dataclass(frozen=True)
class Ports:
    """The two ports of a conversation.

    Args:
        input: the port of the player's messages.
        output: the port of all that sounds.
        watched: the names of ports of other programs and devices, which may disappear.
    """

    input: mido.ports.BaseInput
    output: mido.ports.BaseOutput
    watched: PortNames

    def send(self, message: mido.Message) -> None:
        """Sends a message.

        Raises:
            MidiPortError: the port cannot be written to.
        """
        try:
            self.output.send(message)
        except _PORT_ERRORS as error:
            raise MidiPortError(
                f"The MIDI output {printable(self.output.name)!r} cannot be written to: {error}"
            ) from error


def load_backend() -> mido.Backend:
    """The backend of mido.

    Raises:
        MissingExtraError: python-rtmidi is not installed.
        SettingsError: the environment variable ``MIDO_BACKEND`` names another module that cannot be imported.
    """
    backend = mido.Backend()
    try:
        backend.load()
    except ImportError as error:
        if backend.name == _RTMIDI:
            raise MissingExtraError("python-rtmidi", "live", "Live MIDI") from error
        raise SettingsError(
            f"The environment variable MIDO_BACKEND is {backend.name!r}, which cannot be imported ({error}). Unset it, "
            f"or name a backend of mido."
        ) from error
    return backend


def list_ports(backend: mido.Backend | None = None) -> PortNames:
    """The MIDI ports of this machine.

    Raises:
        MissingExtraError: the extra ``live`` is not installed.
        MidiPortError: the system offers no MIDI.
    """
    backend = backend or load_backend()
    try:
        return PortNames(_unique(backend.get_input_names()), _unique(backend.get_output_names()))
    except _PORT_ERRORS as error:
        raise MidiPortError(
            f"This machine has no MIDI ({error}). On Linux the sequencer of ALSA is needed, which containers and most "
            f"servers lack: sudo modprobe snd-seq."
        ) from error


def find_ports(
    input_name: str | None,
    output_name: str | None,
    backend: mido.Backend | None = None,
    *,
    arguments: tuple[str, str] = ("input_name", "output_name"),
) -> tuple[str | None, str | None]:
    """The whole names of an input and an output; None for virtual ports.

    Args:
        input_name: the name of a port, or a part of it that no other port has.
        output_name: the same for the output.
        backend: the backend of mido; by default that of :func:`load_backend`.
        arguments: what errors call the two names.

    Raises:
        SettingsError: no such port, or several; the message lists the ports.
        MidiPortError: the system offers no MIDI.
        MissingExtraError: the extra ``live`` is not installed.
    """
    names = list_ports(backend)
    return _find(input_name, names.inputs, arguments[0], names), _find(output_name, names.outputs, arguments[1], names)


@contextlib.contextmanager
def open_ports(
    input_name: str | None, output_name: str | None, received: Callable[[mido.Message], None]
) -> Iterator[Ports]:
    """Opens the ports of a conversation, and closes them at the end.

    Args:
        input_name: the name of a port, or a part of it that no other port has; None for a virtual port.
        output_name: the same for the output.
        received: is called with each message, in a thread of the backend.

    Raises:
        SettingsError: no such port, or several; the message lists the ports.
        MidiPortError: a port that cannot be opened.
        MissingExtraError: the extra ``live`` is not installed.
    """
    backend = load_backend()
    input_name, output_name = find_ports(input_name, output_name, backend)
    watched = PortNames(*(() if name is None else (name,) for name in (input_name, output_name)))
    with contextlib.ExitStack() as stack:
        output = _open(backend.open_output, output_name)
        stack.callback(_close, output)
        source = _open(backend.open_input, input_name, callback=received)
        stack.callback(_close, source)
        yield Ports(source, output, watched)


class PortWatch:
    """Looks for ports in a thread of its own, since a backend does not say when one disappears.

    Args:
        names: the ports.
        gone: is called once, with the error.
    """

    def __init__(self, names: PortNames, gone: Callable[[MidiPortError], None]) -> None:
        """Does not start yet."""
        self._names, self._gone = names, gone
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="MIDI ports", daemon=True)

    def __enter__(self) -> "PortWatch":
        """Starts to look, if there is anything to look for."""
        if self._names.inputs or self._names.outputs:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            try:
                here = list_ports()
            except MidiPortError as error:
                self._gone(error)
                return
            missing = [*(set(self._names.inputs) - set(here.inputs)), *(set(self._names.outputs) - set(here.outputs))]
            if missing:
                self._gone(
                    MidiPortError(f"The MIDI port {printable(missing[0])!r} is gone. Plug it in, and start again.")
                )
                return


def _find(name: str | None, names: Sequence[str], argument: str, every: PortNames) -> str | None:
    """The port of a name, or of a part of it.

    Raises:
        SettingsError: no such port, or several.
    """
    if name is None or name in names:
        return name
    found = [one for one in names if name.casefold() in one.casefold()]
    if len(found) == 1:
        return found[0]
    problem = "several MIDI ports have" if found else "no MIDI port has"
    raise SettingsError(
        f"{argument}: {problem} the name {name!r}.\n{every}\nWithout {argument} a virtual port is opened."
    )


def _open(
    open_port: Callable[..., mido.ports.BasePort], name: str | None, **options: Callable[[mido.Message], None]
) -> mido.ports.BasePort:
    try:
        if name is None:
            return open_port(VIRTUAL_NAME, virtual=True, **options)
        return open_port(name, **options)
    except _PORT_ERRORS as error:
        if name is None:
            raise MidiPortError(f"No virtual MIDI port can be opened ({error}). {_VIRTUAL_HELP}") from error
        raise MidiPortError(
            f"The MIDI port {printable(name)!r} cannot be opened ({error}). Is another program using it?"
        ) from error


def _close(port: mido.ports.BasePort) -> None:
    with contextlib.suppress(*_PORT_ERRORS):  # it may be gone
        port.close()


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _lines(way: str, names: Sequence[str]) -> list[str]:
    return [f"  {way} {printable(name)!r}" for name in names] or [f"  {way}: no ports"]
