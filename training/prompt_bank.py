"""[SEG] prompts that the LLM really gives, collected once so that the mask head can train on them.

A training step through the LLM costs four times as much as one through the mask head alone, and the
head needs many steps with the LLM's own, imperfect prompts. So they are computed ahead, each behind
the visual tokens of a random frame.

Run: ``python -m training.prompt_bank --model data/tiny/joint --features DIR --out bank.pt``
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.model import LisaModel
from training.features import open_views
from training.household.language import IMPLICIT, explicit_intent, implicit_intent
from training.household.taxonomy import load_categories
from training.packing import pack, pack_question
from training.stage_text import answer_for
from training.views import view_tensors

QUESTIONS_A_FRAME = 24


@torch.inference_mode()
def collect(*, model: LisaModel, features: Path, per_category: int, seed: int) -> Tensor:
    """Prompts (categories, per_category, out_dim) of random training intents.

    Three in ten name the thing, the others mean it.
    """
    rng = random.Random(seed)
    files = sorted(features.glob("*.npz"))
    jobs = []
    for index, category in enumerate(load_categories().values()):
        for number in range(per_category):
            intent = None
            if number >= 0.3 * per_category:
                kind = IMPLICIT[number % len(IMPLICIT)]
                intent = implicit_intent(category, "train", kind, rng)
            jobs.append((index, number, intent or explicit_intent(category, "train", rng)))
    jobs.sort(key=lambda job: len(job[2]))
    bank = torch.zeros(len(load_categories()), per_category, model.config.out_dim)
    for start in range(0, len(jobs), QUESTIONS_A_FRAME):
        chunk = jobs[start : start + QUESTIONS_A_FRAME]
        visual = model.projector(view_tensors([open_views(rng.choice(files))[0]])[0])
        packed = [pack_question(model.language, text, answer_for("x"), False) for *_, text in chunk]
        with torch.autocast("cpu", torch.bfloat16):
            batch = pack(model.language, visual, [packed])
            states = model.language.states(
                batch.embeddings, mask=batch.mask, position_ids=batch.positions
            )[0]
        for (index, number, _), question, at in zip(chunk, packed, batch.starts[0], strict=True):
            assert question.seg is not None, "every trained answer has a [SEG]"
            bank[index, number] = model.language.prompts(states[at + question.seg].float())
        if start // QUESTIONS_A_FRAME % 20 == 0:
            print(f"{start}/{len(jobs)} prompts", flush=True)
    return bank


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-category", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = LisaModel.from_trained(args.model)
    model.language.merge_lora()
    model.language.base.to(torch.bfloat16)
    bank = collect(
        model=model, features=args.features, per_category=args.per_category, seed=args.seed
    )
    torch.save(bank, args.out)


if __name__ == "__main__":
    main()
