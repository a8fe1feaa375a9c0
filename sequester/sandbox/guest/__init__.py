"""What runs inside a sandbox: the supervisor (PID 1) and the first steps of the code it watches.

Standard library only, and sparing with it: each import is paid for at every start. `posix` is what `os` is made of,
1 ms cheaper. Staged alone into the sandbox.
"""
