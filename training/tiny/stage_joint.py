"""Stage 3: everything together: image + question -> answer with [SEG] -> masks.

Run: ``python -m training.tiny.stage_joint --features data/tiny/features/train
--questions data/homereason_questions/train.jsonl --text data/tiny/text.pt
--vision data/tiny/vision.pt --out data/tiny/joint --steps 1000``
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.config import LisaConfig, preset
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from training.tiny.features import LoadedView
from training.tiny.joint_losses import (
    Seg,
    absent_segs,
    as_meant,
    decode_views,
)
from training.tiny.joint_questions import SMALL_TALK_SHARE, Asked, ask
from training.tiny.name_space import name_vectors
from training.tiny.packing import PackedQuestion, answer_places, packed_states, seg_places
from training.tiny.question_store import QuestionStore
from training.tiny.reference_losses import name_loss, reference_losses, shown_loss
from training.tiny.speed import quicken
from training.tiny.stage_text import (
    answer_vocabulary,
    sampled_answer_loss,
    with_questions,
)
from training.tiny.steps import keep, set_rates
from training.tiny.views import ViewStore, view_tensors


@dataclass(frozen=True, kw_only=True)
class JointRecipe:
    """How the stage trains.

    Args:
        steps: in all.
        frames: of a step.
        questions: of a frame, at most.
        language_rate: learning rate of LoRA, added rows and gamma.
        projector_rate: of the projector.
        head_rate: of the mask head; 0 leaves it as it is, and decodes no masks.
        seed: of everything drawn.
        small_talk_share: of frames that are also asked something that no thing answers.
        absent: names of a frame's absent things that the mask head is also given, to mark nothing.
    """

    steps: int = 1000
    frames: int = 5
    questions: int = 10
    language_rate: float = 5e-4
    projector_rate: float = 1e-4
    head_rate: float = 2e-4
    seed: int = 0
    small_talk_share: float = SMALL_TALK_SHARE
    absent: int = 2


class JointTraining:
    """The stage: model, optimiser, data, and how far it is; resumes from ``out``.

    Args:
        features: folder of cached views.
        questions: files of the builder, or a store of questions.
        text, vision: what the stages before have written.
        out: folder of the run.
        start: ``optimiser.pt`` of an earlier run of this stage, whose weights this one goes on
            from (fine-tuning); its optimiser and step are not taken over.
        compiled: see :func:`training.tiny.speed.quicken`.
    """

    def __init__(
        self,
        *,
        config: LisaConfig,
        recipe: JointRecipe,
        features: Path,
        questions: list[Path] | QuestionStore,
        text: Path,
        vision: Path,
        out: Path,
        start: Path | None = None,
        compiled: bool = True,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.out = out
        self.rng = random.Random(recipe.seed)
        self.names = name_vectors(config.out_dim)
        if not isinstance(questions, QuestionStore):
            questions = QuestionStore(files=questions)
        self.questions = questions
        self.views = ViewStore(folder=features)
        self.model = _start(config, text, vision, self.names)
        model = self.model
        if not recipe.head_rate:
            model.mask_head.eval()  # as it will be used: nothing of it is left out
        if start is not None:
            begun = torch.load(start, weights_only=True)["model"]
            model.load_trained(begun, source=str(start))
        quicken(model.language, compiled=compiled)
        self.kept = answer_vocabulary(model.language.vocabulary)
        language = [p for p in model.language.parameters() if p.requires_grad]
        head = list(model.mask_head.parameters())
        fresh = [p for n, p in model.mask_head.named_parameters() if n.startswith("reference")]
        old = [p for n, p in model.mask_head.named_parameters() if not n.startswith("reference")]
        self.parameters = [*language, *head, *model.projector.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": language, "lr": recipe.language_rate},
                {"params": list(model.projector.parameters()), "lr": recipe.projector_rate},
                {"params": fresh, "lr": 4 * recipe.head_rate},
                {"params": old, "lr": recipe.head_rate},
            ],
            weight_decay=0.01,
            betas=(0.9, 0.98),
        )
        self.step = 0
        self.average: dict[str, float] = {}
        if self.state_file.exists():
            saved = torch.load(self.state_file, weights_only=True)
            model.load_trained(saved["model"], source=str(self.state_file))
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step = saved["step"]
            self.rng.seed(f"{recipe.seed}/{self.step}")

    @property
    def state_file(self) -> Path:
        """Model, optimiser and step."""
        return self.out / "optimiser.pt"

    def save(self) -> None:
        """Write the state, and the model as a folder."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.trained_state(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        keep(state, self.state_file)
        self.model.save_trained(self.out)

    def run(self) -> None:
        """Train to the last step."""
        started, first = time.time(), self.step
        while self.step < self.recipe.steps:
            terms = self._step()
            self.step += 1
            for key, value in terms.items():
                self._note(key, value)
            if self.step % 5 == 0:
                each = (time.time() - started) / (self.step - first)
                line = " ".join(f"{k} {v:.3f}" for k, v in self.average.items())
                left = each * (self.recipe.steps - self.step) / 60
                at = f"{self.step}/{self.recipe.steps}"
                print(f"{at} {each:.2f} s each, {left:.1f} min left, {line}", flush=True)
            if self.step % 50 == 0:
                self.save()
        self.save()

    def _note(self, key: str, value: float) -> None:
        self.average[key] = self.average.get(key, value) + 0.03 * (
            value - self.average.get(key, value)
        )

    def _draw(self) -> tuple[list[LoadedView], list[LoadedView], list[list[Asked]]]:
        """Whole frames, one crop of each, and their questions."""
        self.views.refresh()
        frames, recipe = self.views.frames, self.recipe
        usable = [name for name in frames if name in self.questions]
        shape = frames[self.rng.choice(usable)][0].shape
        usable = [name for name in usable if frames[name][0].shape == shape]
        whole, crops, asked = [], [], []
        for name in self.questions.pick_frames(usable, recipe.frames, self.rng):
            views = frames[name]
            mine, free = ask(
                self.model,
                self.questions,
                views[0],
                recipe.questions,
                self.rng,
                recipe.small_talk_share,
            )
            mirrored = free and self.rng.random() < 0.5
            whole.append(views[0].read(mirrored=mirrored))
            crop = self.rng.choice(views[1:]) if len(views) > 1 else views[0]
            crops.append(crop.read(mirrored=mirrored))
            asked.append(mine)
        return whole, crops, asked

    def _step(self) -> dict[str, float]:
        whole, crops, asked = self._draw()
        model = self.model
        set_rates(self.optimiser, self.step, self.recipe.steps, warm_up=30, least=0.02)
        vision, rgb = view_tensors(whole)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(self.recipe.head_rate > 0):
                features = model.mask_head.encode(vision, rgb)
            visual = model.projector(vision, features, rgb)
            questions = [[one.packed for one in group] for group in asked]
            states, starts = packed_states(model.language, visual, questions)
        terms, segs = self._language_terms(asked, questions, starts, states, features)
        if self.recipe.head_rate:
            segs = segs + absent_segs(
                whole,
                self.names,
                model.mask_head.key_dim,
                self.recipe.absent,
                self.rng,
            )
            for label, views, known, frames in (
                ("whole", whole, features, None),
                ("zoom", crops, None, features),
            ):
                if len({v.vision.shape for v in views}) > 1:
                    continue  # a mixed batch of aspect ratios; rare
                some, found = decode_views(
                    model, known, views, segs, self.names, self.rng, whole=frames
                )
                for key, value in some.items():
                    terms[key] = terms.get(key, torch.zeros(())) + 0.5 * value
                self._note(label, found)
        loss = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        return {key: float(value.detach()) for key, value in terms.items()}

    def _language_terms(
        self,
        asked: list[list[Asked]],
        questions: list[list[PackedQuestion]],
        starts: list[list[int]],
        states: Tensor,
        features: ImageFeatures,
    ) -> tuple[dict[str, Tensor], list[Seg]]:
        language = self.model.language
        meant = [target for group in asked for one in group for target in one.targets]
        rows, positions = seg_places(questions, starts)
        seen = states[rows, positions].float()
        spoken, tokens = answer_places(questions, starts)
        kept = with_questions(self.kept, (one for group in questions for one in group))
        # As at inference: of two readings of an intent, the visible one wins.
        presence = None
        if language.codebook is not None:
            with torch.no_grad():
                shown = self.model.mask_head.log_presence(features, language.codebook)
            presence = shown[rows]
        words = language.raw_prompts(seen)
        prompts = language.blended(words, presence)
        # "The thing on the left" tells no category: there is nothing to learn of it.
        told = torch.tensor([not one.generic for one in meant])
        wanted = torch.tensor([one.category for one in meant])
        name, right = name_loss(words, meant, self.names)
        terms = {
            "name": name,
            "answer": 0.3 * sampled_answer_loss(language, states[spoken].float(), tokens, kept),
        }
        self._note("right", right)
        if presence is not None:
            logits = language.blended_logits(words, presence)
            terms["shown"], seen_right = shown_loss(logits, meant)
            self._note("seen", seen_right)
        prompts = as_meant(prompts, torch.where(told, wanted, -1), self.names)
        references = None
        if (said := language.references(seen, presence)) is not None:
            references, anchors, generic = said
            terms |= reference_losses(references, anchors, generic, meant, self.names)
            named = torch.tensor([one.anchors for one in meant])
            found = as_meant(references.anchors, named, self.names)
            references = replace(references, anchors=found)
        segs = [
            Seg(
                row,
                target,
                prompts[k],
                None if references is None else references.select(slice(k, k + 1)),
            )
            for k, (row, target) in enumerate(zip(rows.tolist(), meant, strict=True))
        ]
        return terms, segs


def _start(config: LisaConfig, text: Path, vision: Path, names: Tensor) -> LisaModel:
    """The model as the stages before it left it."""
    model = LisaModel.from_base(config=config, llm_dtype=torch.bfloat16)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    model.language.load_state_dict(torch.load(text, weights_only=True)["model"], strict=False)
    model.mask_head.load_state_dict(torch.load(vision, weights_only=True))
    if model.language.codebook is not None:
        model.language.codebook.copy_(names)
    if not config.visual_length:
        # Visual tokens of free length start silent: the text stage has never seen one.
        last = model.projector.layers[-1]
        assert isinstance(last, torch.nn.Linear)
        torch.nn.init.normal_(last.weight, std=0.002)
        torch.nn.init.zeros_(last.bias)
    return model


def main() -> None:
    """Command line."""
    recipe = JointRecipe()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True, nargs="+")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--vision", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="go on from this run's optimiser.pt")
    parser.add_argument("--steps", type=int, default=recipe.steps)
    parser.add_argument("--frames", type=int, default=recipe.frames)
    parser.add_argument("--questions-each", type=int, default=recipe.questions)
    parser.add_argument("--language-rate", type=float, default=recipe.language_rate)
    parser.add_argument("--head-rate", type=float, default=recipe.head_rate)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--no-compile", action="store_true", help="where no C++ compiler is")
    args = parser.parse_args()
    JointTraining(
        config=preset("lisa-tiny"),
        recipe=JointRecipe(
            steps=args.steps,
            frames=args.frames,
            questions=args.questions_each,
            language_rate=args.language_rate,
            head_rate=args.head_rate,
            seed=args.seed,
        ),
        features=args.features,
        questions=args.questions,
        text=args.text,
        vision=args.vision,
        out=args.out,
        start=args.start,
        compiled=not args.no_compile,
    ).run()


if __name__ == "__main__":
    main()
