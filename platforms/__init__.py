"""Where cores run: boards of several vendors, compiled simulation, synthesis, place and route,
sizes, the processor's side, and the build itself. Imports gateware and model; nothing imports
platforms. Rooms stand in the order of tests/test_rooms.py; command_line.py lists every command.
Read first: boards/board.py, building/flow.py, command_line.py.
"""

from gateformer.model.support.interrupt import guard_command

guard_command()  # before the imports of a command
