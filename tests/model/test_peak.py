"""Peaks by the names that CUDA gives."""

import pytest

from dama.model.peak import peak_flops


@pytest.mark.parametrize(
    ("device", "tera"),
    [
        ("NVIDIA H200", 989.4),
        ("NVIDIA GH200 480GB", 989.4),
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 311.9),
        ("NVIDIA A10G", 70),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA RTX A6000", 154.8),
    ],
)
def test_known_devices_have_their_data_sheets_peak(device: str, tera: float) -> None:
    assert peak_flops(device) == pytest.approx(tera * 1e12)


@pytest.mark.parametrize("device", ["", "Quadro K620", "NVIDIA RTX A4000", "NVIDIA GeForce RTX 3060"])
def test_others_are_not_guessed(device: str) -> None:
    assert peak_flops(device) is None
