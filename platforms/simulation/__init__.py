"""Any component as compiled code (CXXRTL to C++), and the core in it, checked against the
reference. Imports boards (for a processor's bus), host and support. Read first: simulation.py,
compiled_simulation.py, cxxrtl.py.
"""
