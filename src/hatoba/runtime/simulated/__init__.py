"""The runtime port without a machine: the same promises, on the event loop's clock, deterministic.

host        what would be there: images at registries, images here, containers; how they behave; what fails
process     a process started by exec
runtime     the port over a host; several after one another see the same host, as agents do that are restarted
"""

from hatoba.runtime.simulated.host import Behaviour, Delays, ExecBehaviour, SimulatedHost
from hatoba.runtime.simulated.runtime import SimulatedRuntime

__all__ = ["Behaviour", "Delays", "ExecBehaviour", "SimulatedHost", "SimulatedRuntime"]
