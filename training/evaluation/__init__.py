"""Benchmarks of the paper: what is asked, who answers, and how answers are scored."""
