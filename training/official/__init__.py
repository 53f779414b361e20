"""Training and validation of LISA at the paper's size, as the official code does them."""
