"""Everything that is called between epochs."""
