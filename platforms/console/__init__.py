"""The terminal side of the console: lines over a serial port, the simulation or the emulated
firmware. Imports firmware and below. Read first: console.py, client.py, session.py.
"""
