"""Model and sizes to instructions, memory images and exact cycle counts. Imports engines (for their
latencies), plan and parts. Read first: program.py, schedule.py, memory_images.py.
"""
