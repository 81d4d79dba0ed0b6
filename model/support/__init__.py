"""What every command needs around its work: errors of users, the wrapper of entry points, whole
files, directories, the cache, compilers, processes. Imports nothing else of ours. Read first:
errors.py, cli.py, whole_file.py.
"""
