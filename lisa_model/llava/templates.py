"""The wordings of questions and answers that LISA is trained and validated with."""

from __future__ import annotations

SHORT_QUESTIONS = (
    "Can you segment the {class_name} in this image?",
    "Please segment the {class_name} in this image.",
    "What is {class_name} in this image? Please respond with segmentation mask.",
    "What is {class_name} in this image? Please output segmentation mask.",
)
LONG_QUESTIONS = (
    "{sent} Please respond with segmentation mask.",
    "{sent} Please output segmentation mask.",
)
EXPLANATORY_QUESTIONS = (
    "Please output segmentation mask and explain why.",
    "Please output segmentation mask and explain the reason.",
    "Please output segmentation mask and give some explanation.",
)
ANSWERS = (
    "It is [SEG].",
    "Sure, [SEG].",
    "Sure, it is [SEG].",
    "Sure, the segmentation result is [SEG].",
    "[SEG].",
)
# Several targets in one answer, and targets that are not there: not part of the official wordings,
# whose answers hold one [SEG] each.
SEVERAL_QUESTIONS = (
    "Can you segment {targets} in this image?",
    "Please segment {targets} in this image.",
    "What are {targets} in this image? Please respond with segmentation masks.",
    "What are {targets} in this image? Please output segmentation masks.",
)
SEVERAL_ANSWERS = (
    "Sure, they are {segs}.",
    "They are {segs}.",
    "Sure, {segs}.",
    "Sure, the segmentation results are {segs}.",
    "{segs}.",
)
FALSE_PREMISE_ANSWERS = (
    'I see no "{name}" in this image.',
    'Sorry, nothing in this image matches "{name}".',
    'This image does not show "{name}".',
)
# What validation puts into the model's mouth: nothing is generated there.
VALIDATION_ANSWER = "[SEG]."


def segmentation_question(intent: str, *, explain: bool = False) -> str:
    """An intent in a wording that the model was trained to answer with a mask.

    Args:
        intent: a sentence, such as "change the TV channel", or a noun phrase; both are put before
            the request, as the official sentence template does.
        explain: ask for the reason too.
    """
    intent = " ".join(intent.split())
    if intent and intent[-1] not in ".?!":
        intent += "."
    if explain:
        return f"{intent} {EXPLANATORY_QUESTIONS[0]}"
    return LONG_QUESTIONS[1].format(sent=intent)


def validation_question(text: str, *, is_sentence: bool) -> str:
    """ReasonSeg's question of the official validation (without the image placeholder).

    The leading blank belongs to it.
    """
    if is_sentence:
        return f" {text} Please output segmentation mask."
    return f" What is {text} in this image? Please output segmentation mask."
