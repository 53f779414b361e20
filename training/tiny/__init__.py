"""lisa-tiny, stage by stage: features, text, vision, joint, calibration."""
