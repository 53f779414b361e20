"""Household scenes: taxonomy, rendering tool and their bookkeeping (developer tools)."""
