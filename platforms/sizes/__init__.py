"""Hardware sizes to a board's budget: candidates, exact cycles, a resource model calibrated by
synthesis. Imports place_and_route and below. Read first: search.py, resource_model.py, sizing.py.
"""
