"""Plain DPO against TRL's DPOTrainer: the same weights, data and order give the same losses and weights.

Both get the same tiny LLaVA with images, each in its own way: ours reads prefix-shared rows and reference
log-probabilities that were computed once; TRL renders the chat template and tokenizes in its own collator,
runs chosen and rejected as rows of their own and a frozen copy of the model beside them.

TRL never adds end-of-text to a conversation: it learns what the chat template renders. LLaVA-1.5's template
closes no answer, so TRL trains a LLaVA on answers that never end; ours always learns the end. The template
here closes the answer, so that both learn the same tokens, and the first test asserts that they do.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from llavas import CHAT
from safetensors.torch import load_file
from torch import Tensor
from trainings import Result, run_training, small_training

pytestmark = pytest.mark.slow  # TRL's import alone takes longer than most tests

STEPS, BATCH, BETA = 5, 4, 0.2
COUNT = 8  # two batches an epoch, so that what was learned shows in the losses
LEARNING_RATE, CLIPPED_TO = 2e-3, 1.0
WORKER = Path(__file__).parent / "trl_worker.py"


@dataclass(frozen=True)
class Both:
    """The two trainings, from one folder."""

    ours: Result
    losses: list[float]
    read: list[dict[str, Any]]
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    theirs: dict[str, Tensor]
    encoded: list[Any]
    """Our tokens of every preference, in the order in which it was learned."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    from dama.data.table import PreferenceTable
    from dama.model.encode import Encoder
    from dama.model.layout import Layout
    from dama.model.load import load_model
    from dama.model.logps import AnswerLogps
    from dama.train.batches import Batches
    from dama.train.dataset import Preferences
    from dama.train.forward import Forward
    from dama.train.reference import compute_reference, write_reference

    folder = small_training(tmp_path_factory.mktemp("agreement"), count=COUNT)
    opened = "{{ c['text'] }} {% endfor %}{% endif %}"
    assert opened in CHAT
    closed = CHAT.replace(opened, opened.replace("{% endif %}", "</s>{% endif %}"))
    (folder / "llava" / "chat_template.jinja").write_text(closed)

    loaded = load_model(folder / "llava")
    dataset = Preferences(PreferenceTable(folder / "data"), Encoder(loaded.processor, 64))
    forward = Forward(0, torch.device("cpu"), Layout())
    write_reference(
        folder / "reference",
        compute_reference(AnswerLogps(loaded.model), dataset, forward, BATCH, lambda done: None),
    )
    batches = Batches(len(dataset), BATCH, seed=0)
    order = [index for step in range(STEPS) for index in batches[step]]
    ours = run_training(
        folder,
        folder / "ours",
        per_device=BATCH,
        steps=STEPS,
        zero=1,  # reports the norm of the gradient
        method={"beta": BETA, "data_aware": False, "model_aware": False},
        learning_rate=LEARNING_RATE,
        warmup=0.2,
        max_grad_norm=CLIPPED_TO,
    )
    assert ours.returncode == 0, ours.log
    _trl(folder, order)
    said = json.loads((folder / "trl.json").read_text())
    return Both(
        ours=ours,
        losses=said["losses"],
        read=said["read"],
        before=loaded.model.state_dict(),
        after={name.removeprefix("llava."): tensor for name, tensor in load_file(ours.weights).items()},
        theirs=load_file(folder / "trl.safetensors"),
        encoded=[dataset[index].encoded for index in order],
    )


def _trl(folder: Path, order: list[int]) -> None:
    settings = {
        "folder": str(folder),
        "out": str(folder),
        "order": order,
        "batch": BATCH,
        "steps": STEPS,
        "beta": BETA,
        "learning_rate": LEARNING_RATE,
        "warmup_steps": 1,  # a fifth of five steps
        "max_grad_norm": CLIPPED_TO,
    }
    path = folder / "trl-settings.json"
    path.write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, str(WORKER), str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_both_read_the_same_tokens(both: Both) -> None:
    """Row n of TRL's batch is the chosen answer of preference n, row BATCH + n the rejected one."""
    for step, read in enumerate(both.read):
        for row in range(2 * BATCH):
            encoded = both.encoded[step * BATCH + row % BATCH]
            answer = encoded.answers["chosen" if row < BATCH else "rejected"].tolist()
            columns = zip(*(read[name][row] for name in read), strict=True)
            real = [(token, learned) for token, seen, learned in columns if seen]
            assert [token for token, learned in real if not learned] == encoded.prompt_ids_P.tolist()
            assert [token for token, learned in real if learned] == answer
    lengths = {len(answer) for encoded in both.encoded for answer in encoded.answers.values()}
    assert len(lengths) > 3  # ragged: padding is on the way


def test_the_losses_of_five_steps_agree(both: Both) -> None:
    ours = [row["loss"] for row in both.ours.metrics]
    assert len(ours) == len(both.losses) == STEPS
    assert max(abs(mine - yours) for mine, yours in zip(ours, both.losses, strict=True)) <= 1e-4
    # the first step is at the reference, the second still is (the warm-up starts at nothing), then they move
    assert ours[:2] == pytest.approx([math.log(2)] * 2, abs=1e-4)
    assert all(abs(loss - math.log(2)) > 0.01 for loss in ours[2:])


def test_gradients_were_clipped_on_the_way(both: Both) -> None:
    assert max(row["grad_norm"] for row in both.ours.metrics) > CLIPPED_TO


def test_the_weights_afterwards_agree(both: Both) -> None:
    """The difference is measured against how far training moved each weight, not against the weight."""
    assert both.after.keys() == both.theirs.keys() == both.before.keys()
    moved = 0
    for name, before in both.before.items():
        change = both.theirs[name] - before
        if not change.any():
            assert torch.equal(both.after[name], before), name
            continue
        moved += 1
        difference = torch.linalg.vector_norm(both.after[name] - both.theirs[name])
        assert difference <= 1e-4 * torch.linalg.vector_norm(change), name
    assert moved == 25  # projector, embeddings, two layers, norm, head; never the vision tower
