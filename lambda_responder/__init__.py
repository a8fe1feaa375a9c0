"""Quarantine: `outside` reads the alarm and acts on AWS; `inside` the VPC speaks to the Kubernetes API alone."""
