"""The training data of the LISA paper: readers, the weighted mixture, batches and a check."""
