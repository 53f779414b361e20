"""``lisa eval photographs``: intents on real photographs, as a page that shows every answer."""
