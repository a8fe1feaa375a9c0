"""How Pulumi marks values that JSON has no form for: secrets, assets, and what a preview does not know yet.

Read by the embedded cloud's codec (cloud/wire.py) and by the sources of the proof alike; none of them is a secret.
https://github.com/pulumi/pulumi, sdk/go/common/resource/properties.go and sdk/go/common/resource/plugin/rpc.go
"""

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key in an object that says what kind of value it wraps."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that is not known yet: the one that SDKs send."""
# The engine has one for each type that an unknown may have (`UNKNOWN_*_VALUE` in pulumi_policy/proxy.py).
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
