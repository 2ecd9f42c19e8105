"""How many processes a run has, and who starts them: the command itself, torchrun or SLURM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from polydiff.errors import UsageError

INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which a person starts processes by hand."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The processes of a run.

    Attributes
    ----------
    devices
        On each machine, one process each.
    nodes
        Machines.
    starter
        "torchrun" or "SLURM" where that has started all processes; `None` where the command starts them.
    """

    devices: int
    nodes: int
    starter: str | None = None

    @property
    def count(self) -> int:
        """Count the processes."""
        return self.devices * self.nodes


def layout(devices: int | None, nodes: int | None) -> Layout:
    """Give the processes of a run, as asked for or as they have been started; `None` is 1, or what there is.

    Raises
    ------
    UsageError
        When other numbers have been started than are asked for, or several machines do not know of each other.
    """
    environment = os.environ
    if "LOCAL_WORLD_SIZE" in environment:
        here = int(environment["LOCAL_WORLD_SIZE"])
        started = Layout(here, int(environment["WORLD_SIZE"]) // here, "torchrun")
    elif "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in INTERACTIVE:
        started = _by_slurm(environment)
    else:
        return _by_hand(environment, devices or 1, nodes or 1)
    for option, asked, there in (("devices", devices, started.devices), ("nodes", nodes, started.nodes)):
        if asked not in {None, there}:
            what = "processes on each machine" if option == "devices" else "machines"
            raise UsageError(f"{started.starter} has started {there} {what}; leave --{option} {asked} away")
    return started


def _by_slurm(environment: Mapping[str, str]) -> Layout:
    tasks = int(environment["SLURM_NTASKS"])
    if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in environment:
        raise UsageError(f"SLURM has started {tasks} processes by --ntasks; give it --ntasks-per-node instead")
    here = int(environment.get("SLURM_NTASKS_PER_NODE", "1"))
    return Layout(here, int(environment.get("SLURM_NNODES", tasks // here)), "SLURM")


def _by_hand(environment: Mapping[str, str], devices: int, nodes: int) -> Layout:
    missing = [name for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environment]
    if nodes > 1 and missing:
        raise UsageError(
            f"--nodes {nodes}: {' and '.join(missing)} must be set where the command is started, on each machine; or "
            "start it by torchrun or srun"
        )
    return Layout(devices, nodes)
