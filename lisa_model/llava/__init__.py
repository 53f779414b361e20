"""LISA at the paper's size, in the layout of the official checkpoints: LLaVA (CLIP + LLaMA) + SAM.

intent + image -> tokenizer, CLIP tower, projector -> LLaMA -> [SEG] -> text_hidden_fcs -> SAM
"""
