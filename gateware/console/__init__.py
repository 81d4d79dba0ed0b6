"""The text console in gateware, for boards with a serial port and no processor (docs/console.md).
Imports host and below. Read first: text_console.py, control.py, messages.py.
"""
