"""Sandboxes for untrusted code, on one machine or on Kubernetes, that record each attempt to get out.

Importing this package imports nothing: the Pulumi program needs `seccomp` alone.
"""
