"""Batches to checkpoints: transformers' Trainer over DeepSpeed."""

from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()  # before any module of this room imports transformers, which imports torchvision
