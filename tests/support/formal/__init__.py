"""Proofs by induction: the prover, and what holds on every AXI bus."""
