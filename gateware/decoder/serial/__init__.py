"""Units of an imported model that take a number per cycle, behind the lanes."""
