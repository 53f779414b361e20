"""The two-stage baseline of the LISA paper: a language model's answer names the thing, then a
segmenter that knows names marks it. Nothing is trained end to end; see docs/two_stage.md."""
