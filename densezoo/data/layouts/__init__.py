"""Where images lie: folders, tars, lists, shards, arrays; datasets by name."""
