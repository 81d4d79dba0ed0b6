"""Imported models' cores for the search: their sized program, units, lanes and the points that
calibrate them."""
