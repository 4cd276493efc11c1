"""One module a command: its options, one call of api, what it prints."""
