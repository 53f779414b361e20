"""Entry point of ``python3 -m lisa_model.base_weights``."""

from lisa_model.base_weights.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
