"""Names of the files in a build directory that more than the build itself must know."""

REPORT = "report.json"
"""What a build produced and measured (docs/report.md)."""
