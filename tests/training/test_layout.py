"""How many processes there are, and who has started them."""

import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment

from polydiff.errors import UsageError
from polydiff.training.layout import Layout, layout

STARTERS = ("LOCAL_WORLD_SIZE", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """Set the environment to that of a starter, with nothing else of any."""
    for name in STARTERS:
        monkeypatch.delenv(name, raising=False)

    def by(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return by


def slurm(**changes):
    """Give what SLURM says to a process of `srun` of two machines with four tasks each."""
    return {
        "SLURM_NTASKS": "8",
        "SLURM_NTASKS_PER_NODE": "4",
        "SLURM_NNODES": "2",
        "SLURM_JOB_NAME": "train",
        "SLURM_JOB_ID": "4711",
        "SLURM_PROCID": "5",
        "SLURM_LOCALID": "1",
        "SLURM_NODEID": "1",
        "SLURM_NODELIST": "gpu[07-08]",
        **changes,
    }


def test_devices_and_machines_are_those_asked_for(started):
    assert layout(None, None) == Layout(1, 1)
    assert layout(3, None) == Layout(3, 1)
    started(NODE_RANK="1", MASTER_ADDR="10.0.0.1", MASTER_PORT="29500")
    assert layout(3, 2).count == 6


def test_machines_that_do_not_know_of_each_other_are_refused(started):
    started(MASTER_ADDR="10.0.0.1")
    with pytest.raises(UsageError, match=r"--nodes 2: NODE_RANK and MASTER_PORT must be set.*by torchrun or srun"):
        layout(1, 2)


def test_torchrun_says_how_many_there_are_here_and_on_how_many_machines(started):
    started(LOCAL_WORLD_SIZE="2", WORLD_SIZE="6")
    assert layout(None, None) == layout(2, 3) == Layout(2, 3, "torchrun")


def test_slurm_says_how_many_there_are_as_fabric_understands_it(started):
    started(**slurm())
    assert layout(None, None) == Layout(4, 2, "SLURM")
    assert SLURMEnvironment.detect()
    environment = SLURMEnvironment()
    environment.validate_settings(num_devices=4, num_nodes=2)
    assert (environment.world_size(), environment.global_rank(), environment.local_rank()) == (8, 5, 1)
    assert (environment.node_rank(), environment.main_address) == (1, "gpu07")


def test_one_task_of_slurm_is_one_process(started):
    started(SLURM_NTASKS="1", SLURM_NNODES="1", SLURM_JOB_NAME="train")
    assert layout(None, None) == Layout(1, 1, "SLURM")


@pytest.mark.parametrize("name", ["bash", "interactive"])
def test_a_person_within_slurm_starts_as_anywhere(started, name):
    started(**slurm(SLURM_JOB_NAME=name))
    assert layout(2, None) == Layout(2, 1)


def test_torchrun_within_slurm_goes_first(started):
    started(LOCAL_WORLD_SIZE="2", WORLD_SIZE="2", **slurm())
    assert layout(None, None).starter == "torchrun"


@pytest.mark.parametrize(
    ("environment", "devices", "nodes", "message"),
    [
        ({"LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}, 3, None,
         "torchrun has started 2 processes on each machine; leave --devices 3 away"),
        ({"LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}, 1, None, "leave --devices 1 away"),
        ({"LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4"}, 2, 3, "torchrun has started 2 machines; leave --nodes 3 away"),
        (slurm(), 2, None, "SLURM has started 4 processes on each machine; leave --devices 2 away"),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}, None, None, "give it --ntasks-per-node instead"),
    ],
)  # fmt: skip
def test_others_than_have_been_started_are_refused(started, environment, devices, nodes, message):
    started(**environment)
    with pytest.raises(UsageError, match=message):
        layout(devices, nodes)
