"""The policy pack: `pulumi up --policy-pack policies`."""

from policies.pack import pack

pack()
