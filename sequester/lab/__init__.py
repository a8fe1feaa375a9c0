"""The lab: a deployment as network namespaces, in which attempts are really made, stopped, and seen. Linux, root.

>>> with standing(stack_config(path)) as here:
...     facts = deployed(here)
>>> with lab(facts) as world:                                   # or lab(facts, ["network-policy", "node-drops"])
...     mark = world.mark()
...     ran = world.run("research-sandbox", ["python3", "-c", code], timeout=10)
...     world.sink.saw(b"canary")                               # what arrived on the internet, decrypted
...     world.records(since=mark)                               # SensorRecords, as the deployed sensors write them

Places (`world.places`, by name): a tenant's pods are called as their namespaces (``research-sandbox``,
``research-agent``), then ``coredns``, ``sandbox-node``, ``system-node`` (``-2`` in the second zone),
``endpoint:lambda`` (and every other interface endpoint), ``control-plane``, ``internet``.

Addresses: every address on the internet answers, on every port (TCP, TLS for any name, HTTP, DNS; else an echo).
`world.trust` is a file with the authority of all certificates in the lab. Lists that AWS keeps have documentation
addresses (``world.gateway`` records what reaches S3's).

Layers to take away: `LAYERS`. `world.attach(place, port, (host, port))` puts a server of this machine's loopback (a
door, an API server) at a place's addresses; name the place in `lab(..., attached=[place])`, so that nothing else
listens there. `world.label` and `world.change` let policies, groups and ACLs follow what a responder did.

Importing this package imports none of it: `lab` is in `sequester.lab.lab`, `World` in `.world`, `deployed` in
`.deployed`, `facts_of` (from resources) in `.facts`, `LAYERS` in `.layers`.
"""
