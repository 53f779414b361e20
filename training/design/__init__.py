"""lisa-tiny's design, choice by choice: what each costs and brings; docs/tiny_design.md."""
