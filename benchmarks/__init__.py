"""Long-run and fault benchmarks of the perception node; see README.md in this folder."""
