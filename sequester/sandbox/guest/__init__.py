"""What runs inside a sandbox: the supervisor (PID 1) and the first steps of the code it watches.

Standard library only and sparing with it: each import is paid for at every start. Staged alone into the sandbox.
"""
