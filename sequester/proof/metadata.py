"""Claim E6: instance metadata and the Pod Identity endpoint are out of reach of sandbox pods."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.enforcement import unenforced
from sequester.proof.export import sandbox_namespaces
from sequester.proof.model import Model
from sequester.proof.netpol import by_namespace, egress_of, policies
from sequester.proof.selector import IMDS, POD_IDENTITY, Selector
from sequester.proof.space import TCP, Prefix, Services, intersection, services, show_address
from sequester.proof.verdict import Hop, Packet, Verdict, Witness

_HTTP = services(TCP, 80, 80)
# Pod Identity's IPv6 address: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
_TARGETS: tuple[tuple[str, Prefix, Services], ...] = (
    ("instance metadata", IMDS[0], _HTTP),
    ("instance metadata", IMDS[1], _HTTP),
    ("Pod Identity", POD_IDENTITY.prefix, _HTTP),
    ("Pod Identity", Prefix("6", 0xFD00_0EC2 << 96 | 0x23, 128), _HTTP),
)


def metadata(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    findings.take(_policies(model, selector))
    if sandbox_namespaces(model, selector):
        findings.take(unenforced(model, "pods reach Pod Identity, and metadata as far as a hop limit lets them"))
    findings.take(_hops(model))
    assumed = (
        "a hop limit of 1 ends an answer at the node (EC2 user guide); pods in the host's network are E5's matter",
    )
    return findings.verdict("E6", model, selector, assumed)


def _policies(model: Model, selector: Selector) -> Iterator[Finding]:
    every = by_namespace(policies(model.manifests))
    for namespace in sandbox_namespaces(model, selector):
        allowed, free = egress_of(namespace, every)
        hit = False
        for what, target, served in _TARGETS:
            for one in allowed:
                both = intersection(one.services, served)
                inside = one.axis == target.axis and one.low <= target.low < one.end and not one.pods
                if inside and both:
                    hit = True
                    where = show_address(target.axis, target.low)
                    yield Witness(
                        f"a pod of {namespace} reaches {what} at {where}",
                        (Hop(f"a pod of {namespace}", "sends"), Hop(one.rule, f"allows tcp port 80 to {where}")),
                        f"select every pod of {namespace} by a policy" if free else f"remove or narrow {one.rule}",
                        packet=Packet(f"pods:{namespace}", target.axis, target.low, both[0][0]),
                    )
                    break
        if not hit:
            yield Obligation(f"namespace {namespace}", "no policy lets its pods reach metadata or Pod Identity")


def _hops(model: Model) -> Iterator[Finding]:
    """A second layer, which holds for pods whatever their policies say."""
    for place in model.places.values():
        if place.role != "sandbox" or not place.runs_pods:
            continue
        if place.opaque:
            yield place.opaque
        elif place.metadata_hops is not None and (place.metadata_hops > 1 or not place.metadata_token):
            how = f"hop limit {place.metadata_hops}" if place.metadata_token else "version 1 answers without a token"
            yield Witness(
                f"pods on {place.name} get answers from instance metadata ({how})",
                (Hop(place.name, f"metadataOptions: {how}"), Hop("169.254.169.254", "answers across the pod's hop")),
                f"set httpTokens: required and httpPutResponseHopLimit: 1 in {place.name}'s launch template",
            )
        else:
            yield Obligation(place.name, "metadata wants a token, and its answer ends at the node")
