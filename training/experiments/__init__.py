"""Experiments of many runs: what is planned, made once, scored and set into tables."""
