"""The door: fetches only what one tenant may have from the internet, and can prove what it did.

Deployed alone as a Lambda function outside the VPC: it imports nothing else of this project. `path.py` reads as the
path of a request; each step is a module of its own; `handler.py` puts them together.
"""
