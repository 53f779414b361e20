"""Paraphrases of ReasonSeg's instructions: written by a language model, judged, kept in a file.

The paper has its instructions rephrased by GPT-3.5 and trains on one of the wordings at random.
``lisa data rephrase`` does it with any language model; ``rephrased: FILE`` in a data configuration
trains on the result.
"""
