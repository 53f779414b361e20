"""The paper's claims, tried at the size of lisa-tiny; docs/claims.md."""
