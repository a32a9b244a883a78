"""One rule for the device of training and of use."""

import subprocess
import sys

import networks
import pytest
import torch

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import devices, torch_engine
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import device


@pytest.fixture
def machine(monkeypatch):
    """A machine with these devices, as its driver and torch see it."""

    def has(*, driver, cuda, mps=False):
        monkeypatch.setattr(device, "has_gpu", lambda: driver)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


def test_auto_is_cuda_then_the_cpu(machine):
    machine(driver=True, cuda=True)
    assert device.choose("auto") == "cuda"
    machine(driver=True, cuda=False)  # a torch without it
    assert device.choose("auto") == "cpu"
    machine(driver=False, cuda=False, mps=True)
    assert device.choose("auto") == "cpu"
    assert device.choose("mps") == "mps"


def test_a_device_that_is_not_there_says_what_is(machine):
    machine(driver=False, cuda=False, mps=True)
    with pytest.raises(BadConfig, match="--device cuda: not on this machine, which has: cpu, mps"):
        device.choose("cuda")
    with pytest.raises(BadConfig, match="--device tpu: known are auto, cpu, cuda, mps"):
        device.choose("tpu")


def test_a_model_is_used_on_the_device_that_auto_is(machine, monkeypatch):
    used = []
    monkeypatch.setattr(torch_engine, "TorchEngine", lambda model, name: used.append(name))
    machine(driver=True, cuda=True)
    devices.open_engine(networks.tiny(), "auto")
    assert used == ["cuda"]
    machine(driver=False, cuda=True)
    assert isinstance(devices.open_engine(networks.tiny(), "auto"), Engine)
    assert isinstance(devices.open_engine(networks.tiny(), "cpu"), Engine)


def test_without_a_gpu_nothing_loads_torch():
    code = (
        "import sys; from sketchrnn_cli.model import device; device.has_gpu(); "
        "device.has_gpu = lambda: False; device.choose('auto'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
