"""The public names of playing live."""

from .ports import PortNames as PortNames
from .ports import list_ports as list_ports
from .run import LiveSummary as LiveSummary
from .run import run_live as run_live
from .settings import LiveSettings as LiveSettings
