"""Training of LISA at the paper's size: `lisa train CONFIG`, see docs/training.md."""
