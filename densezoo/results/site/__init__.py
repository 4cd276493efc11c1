"""The zoo as a static site: pages, data and pictures that need no server and ask no other host for anything."""
