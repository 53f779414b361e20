"""What a model cannot do on HomeReason: by size, by confusion, with a gallery of failures."""
