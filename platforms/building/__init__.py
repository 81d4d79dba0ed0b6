"""The build: from a model's name to text, Verilog, resources, a bitstream and a report. Imports
every other room. Read first: command.py, flow.py, report.py.
"""
