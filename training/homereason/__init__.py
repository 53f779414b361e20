"""HomeReason: a benchmark of household reasoning segmentation over rendered RGB-D frames."""
