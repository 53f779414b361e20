import numpy as np
import torch

from training.claims.samples import Sample
from training.claims.taught import SHOWN, TaughtClasses, phrases_by_title, prompt_examples
from training.evaluation.contender import Ask
from training.evaluation.two_stage.matching import MatchedSegmenter, Matcher
from training.evaluation.two_stage.parts import Offer, TwoStage
from training.evaluation.two_stage.text_namers import EXAMPLES, QuestionNamer, prefix
from training.homereason.question import Question, answer_for

IMAGE = np.zeros((4, 6, 3), np.uint8)


def sample(text, category, *others):
    targets = ((1,),)
    question = Question(
        frame="f",
        kind="implicit_short",
        text=text,
        targets=targets,
        categories=(category,),
        answer=answer_for(targets),
        proof=("x",),
    )
    return Sample(question=question, others=others)


class TwoClasses:
    name = "two classes"

    def classes(self, image):
        return [Offer(title=one, names=(one,), log_presence=-1.0) for one in ("mug", "hammer")]

    def mask(self, image, title):
        out = np.zeros(image.shape[:2], bool)
        out[0 if title == "mug" else 1] = True
        return out


def by_letters(sentences):
    """A sentence's vector: how often each letter occurs."""
    rows = [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in sentences]
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def marked(phrases, text):
    classes = TaughtClasses(classes=TwoClasses(), phrases=phrases)
    matcher = Matcher(embed=by_letters, threshold=0.0)
    stages = TwoStage(
        namer=QuestionNamer(), segmenter=MatchedSegmenter(classes=classes, matcher=matcher)
    )
    (reply,) = stages.answer(IMAGE, [Ask(text=text, is_sentence=False)])
    return int(reply.mask.any(axis=1).argmax())


def test_a_phrase_leads_to_its_class():
    text = "something for hammering ham"
    assert marked({}, text) == 1
    assert marked({"mug": ["something for hammering a ham"]}, text) == 0
    assert marked({"hammer": ["warm milk"], "mug": ["xyz"]}, text) == 1


def test_offers_keep_what_they_had():
    (mug, _) = TaughtClasses(classes=TwoClasses(), phrases={"mug": ["tea"]}).classes(IMAGE)
    assert (mug.title, mug.names, mug.log_presence) == ("mug", ("mug", "tea"), -1.0)


def test_phrases_are_all_wordings():
    found = phrases_by_title([sample("a", "mug", "b"), sample("c", "mug"), sample("d", "hammer")])
    assert found == {"mug": ["a", "b", "c"], "hammer": ["d"]}


def test_prompt_examples_show_different_things_first():
    many = [sample(f"mug {k}", "mug") for k in range(100)] + [sample("nails", "hammer")]
    shown = prompt_examples(many, 0)
    assert len(shown) == SHOWN
    assert {name for _, name, _ in shown[:2]} == {"mug", "hammer"}
    assert prompt_examples(many, 1) != shown
    text = prefix(candidates=False, examples=shown)
    assert "Request: nails\nThing: hammer\n" in text
    assert EXAMPLES[0][0] not in text
    assert EXAMPLES[0][0] in prefix(candidates=False)
