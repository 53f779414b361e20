"""Checkpoints of other people's making: opened safely, loaded leanly, converted once."""
