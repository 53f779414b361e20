"""Stage 3: everything together: image + question -> answer with [SEG] -> masks.

Run: ``python -m training.tiny.stage_joint --features data/tiny/features/train
--questions data/homereason_questions/train.jsonl --text data/tiny/text.pt
--vision data/tiny/vision.pt --out data/tiny/joint --steps 1000``
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import LisaConfig, preset
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from training.homereason.small_talk import draw_small_talk
from training.household.taxonomy import category_index
from training.tiny.features import LoadedView, View, target_masks
from training.tiny.losses import choice_loss, mask_iou, mask_losses, patch_shares
from training.tiny.name_space import name_vectors
from training.tiny.packing import (
    PackedQuestion,
    answer_places,
    pack,
    pack_question,
    seg_places,
)
from training.tiny.question_store import SIDED, QuestionStore, spoken_answer
from training.tiny.speed import quicken
from training.tiny.stage_text import COSINE_SCALE, answer_vocabulary, sampled_answer_loss
from training.tiny.stage_vision import PROMPT_NOISE, dense_alignment_loss, noisy_prompts
from training.tiny.steps import keep, learning_rate
from training.tiny.views import ViewStore, draw_absent, view_tensors, view_windows

# Share of frames that are also asked something that no thing answers.
SMALL_TALK_SHARE = 0.5
# Share of [SEG] that are decoded without their referent: a kept prompt has none (follow mode).
WITHOUT_REFERENT = 0.2


@dataclass(frozen=True, kw_only=True)
class JointRecipe:
    """How the stage trains.

    Args:
        steps: in all.
        frames: of a step.
        questions: of a frame, at most.
        language_rate: learning rate of LoRA, added rows, gamma and projector.
        head_rate: of the mask head; 0 leaves it as it is, and decodes no masks.
        seed: of everything drawn.
        small_talk_share: of frames that are also asked something that no thing answers.
        absent: names of a frame's absent things that the mask head is also given, to mark nothing.
    """

    steps: int = 1000
    frames: int = 5
    questions: int = 10
    language_rate: float = 5e-4
    head_rate: float = 2e-4
    seed: int = 0
    small_talk_share: float = SMALL_TALK_SHARE
    absent: int = 2


@dataclass(frozen=True)
class Target:
    """What one [SEG] of an answer marks; no ids for a thing that is absent."""

    category: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Asked:
    """One question about a frame; no targets where nothing is to be marked."""

    packed: PackedQuestion
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Seg:
    """One [SEG] that the LLM has predicted: which frame, what it means, and its prompts."""

    row: int
    target: Target
    prompt: Tensor
    referent: Tensor | None


def ask(
    model: LisaModel,
    store: QuestionStore,
    view: View,
    count: int,
    rng: random.Random,
    small_talk_share: float = SMALL_TALK_SHARE,
) -> tuple[list[Asked], bool]:
    """Questions about a frame, and now and then small talk; and whether it may be mirrored."""
    index = category_index()
    out, free = [], True
    for question in store.draw(view.frame, count, rng):
        free = free and question.kind != SIDED
        packed = pack_question(model.language, question.text, spoken_answer(question), True)
        pairs = zip(question.categories, question.targets, strict=False)
        out.append(Asked(packed, tuple(Target(index[name], ids) for name, ids in pairs)))
    if rng.random() < small_talk_share:
        turn, reply = draw_small_talk(rng)
        out.append(Asked(pack_question(model.language, turn, reply, True), ()))
    return out, free


def absent_segs(
    views: Sequence[LoadedView], names: Tensor, referent_dim: int, count: int, rng: random.Random
) -> list[Seg]:
    """Prompts for things that the views' frames do not show.

    An answer that refuses has no [SEG]; without these, the mask head would forget in this stage
    that what is asked for may be missing.

    Args:
        views: whole frames.
        names: (categories, out_dim).
        referent_dim: of the mask head; 0 for none.
        count: of each frame.
        rng: decides which.
    """
    index = category_index()
    out = []
    for row, view in enumerate(views):
        here = {item["category"] for item in view.instances}
        for _ in range(count):
            if (gone := draw_absent(here, names, rng)) is None:
                break
            prompt = noisy_prompts(names, torch.tensor([index[gone]]), PROMPT_NOISE)[0]
            referent = torch.zeros(referent_dim) if referent_dim else None
            out.append(Seg(row, Target(index[gone], ()), prompt, referent))
    return out


def decode_views(
    model: LisaModel,
    features: ImageFeatures | None,
    views: Sequence[LoadedView],
    segs: list[Seg],
    names: Tensor,
    rng: random.Random,
) -> tuple[dict[str, Tensor], float]:
    """Losses of every [SEG] whose target a view shows or is absent; mean IoU of the shown ones.

    Args:
        features: of the views, when they are computed already.
        views: one for each row, of one grid size.
    """
    shown = [
        [seg for seg in segs if seg.row == row and shows(view, seg.target)]
        for row, view in enumerate(views)
    ]
    chosen = [seg for group in shown for seg in group]
    if not chosen:
        return {}, 0.0
    targets = [
        target_masks(view.ids, [seg.target.ids for seg in group])
        for view, group in zip(views, shown, strict=True)
        if group
    ]
    rows = torch.tensor([seg.row for seg in chosen])
    target = torch.cat(targets)
    referent = None
    if chosen[0].referent is not None:
        kept = torch.tensor([[float(rng.random() >= WITHOUT_REFERENT)] for _ in chosen])
        # Without it only what is one of its kind in the frame has one right mask.
        alone = torch.tensor([[float(is_alone(views[s.row], s.target))] for s in chosen])
        stacked = torch.stack([s.referent for s in chosen if s.referent is not None])
        referent = stacked * torch.maximum(kept, 1 - alone)
    with torch.autocast("cpu", torch.bfloat16):
        if features is None:
            features = model.mask_head.encode(*view_tensors(views), view_windows(views))
        logits, iou, similarity = model.mask_head(
            features.select(rows), torch.stack([s.prompt for s in chosen]), referent
        )
    terms = mask_losses(logits.float(), iou.float(), similarity.float(), target)
    each = similarity.float().split([len(group) for group in shown])
    choices = [choice_of(*one) for one in zip(views, shown, each, strict=True)]
    terms["choice"] = 0.5 * torch.cat(choices).sum() / max(1, sum(len(one) for one in choices))
    category = torch.tensor([seg.target.category for seg in chosen])
    terms["dense"] = 0.5 * dense_alignment_loss(
        features.aligned, target, owner=rows, category=category, names=names
    )
    there = torch.tensor([bool(seg.target.ids) for seg in chosen])
    found = mask_iou(logits.float(), target)[there]
    return terms, float(found.mean()) if len(found) else 0.0


def choice_of(view: LoadedView, segs: Sequence[Seg], similarity: Tensor) -> Tensor:
    """:func:`training.tiny.losses.choice_loss` of the [SEG] (n) of one view that mark something.

    Args:
        similarity: (n, h, w).
    """
    there = [k for k, seg in enumerate(segs) if seg.target.ids]
    if not there:
        return similarity.new_zeros(0)
    things = [item["id"] for item in view.instances]
    shares = patch_shares(target_masks(view.ids, [(one,) for one in things]))
    wanted = torch.tensor([[one in segs[k].target.ids for one in things] for k in there])
    return choice_loss(similarity[there], shares, wanted)


def shows(view: LoadedView, target: Target) -> bool:
    """Whether all of a target is in a view, large enough to be asked for."""
    return set(target.ids) <= {item["id"] for item in view.instances}


def is_alone(view: LoadedView, target: Target) -> bool:
    """Whether a view shows no other thing of the target's kind."""
    kind = {item["category"] for item in view.instances if item["id"] in target.ids}
    return all(i["id"] in target.ids for i in view.instances if i["category"] in kind)


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
        fresh = [p for n, p in model.mask_head.named_parameters() if n.startswith("referent")]
        old = [p for n, p in model.mask_head.named_parameters() if not n.startswith("referent")]
        self.parameters = [*language, *head, *model.projector.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": language, "peak": recipe.language_rate},
                {"params": list(model.projector.parameters()), "peak": recipe.language_rate},
                {"params": fresh, "peak": 4 * recipe.head_rate},
                {"params": old, "peak": recipe.head_rate},
            ],
            lr=recipe.language_rate,
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
        rate = learning_rate(self.step, self.recipe.steps, warm_up=30, least=0.02)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        vision, rgb = view_tensors(whole)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(self.recipe.head_rate > 0):
                features = model.mask_head.encode(vision, rgb)
            visual = model.projector(vision, features, rgb)
            batch = pack(model.language, visual, [[a.packed for a in q] for q in asked])
            states = model.language.states(
                batch.embeddings, mask=batch.mask, position_ids=batch.positions
            )
        terms, segs = self._language_terms(asked, batch.starts, states, features)
        if self.recipe.head_rate:
            segs = segs + absent_segs(
                whole,
                self.names,
                model.mask_head.referent_dim,
                self.recipe.absent,
                self.rng,
            )
            for label, views, known in (("whole", whole, features), ("zoom", crops, None)):
                if len({v.vision.shape for v in views}) > 1:
                    continue  # a mixed batch of aspect ratios; rare
                some, found = decode_views(model, known, views, segs, self.names, self.rng)
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
        starts: list[list[int]],
        states: Tensor,
        features: ImageFeatures,
    ) -> tuple[dict[str, Tensor], list[Seg]]:
        language = self.model.language
        questions = [[one.packed for one in group] for group in asked]
        meant = [target for group in asked for one in group for target in one.targets]
        rows, positions = seg_places(questions, starts)
        seen = states[rows, positions].float()
        spoken, tokens = answer_places(questions, starts)
        # As at inference: of two readings of an intent, the visible one wins.
        presence = None
        if language.codebook is not None:
            with torch.no_grad():
                shown = self.model.mask_head.log_presence(features, language.codebook)
            presence = shown[rows]
        prompts = language.prompts(seen, presence)
        referents = language.referents(seen)
        cosine = F.normalize(language.raw_prompts(seen), dim=1) @ self.names.T
        wanted = torch.tensor([one.category for one in meant])
        terms = {
            "name": F.cross_entropy(COSINE_SCALE * cosine, wanted, label_smoothing=0.05),
            "answer": 0.3
            * sampled_answer_loss(language, states[spoken].float(), tokens, self.kept),
        }
        self._note("right", float((cosine.argmax(1) == wanted).float().mean()))
        segs = [
            Seg(row, target, prompts[k], None if referents is None else referents[k])
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
    # Visual tokens start silent: the text stage has never seen one.
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
