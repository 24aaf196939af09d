"""The metadata tables, their migrations, and whether the second wall stands."""
