"""The checker of E1: is the whole space of packets covered, and is each piece really closed?

Between two neighbouring boundaries of the facts nothing changes, so one concrete packet at each boundary inside a piece
stands for all of it. Every packet is judged by plain look-ups in the facts (check_lookup.py): routes and ACLs in
check_paths.py, network policies in check_pods.py. A stage that is not found closed, or anything that is not understood,
refuses the certificate.
"""

from collections.abc import Iterator

from sequester.proof.certificate import Certificate, Piece, Question
from sequester.proof.check_lookup import ENDS, HOSTS, NODE_GROUPS, SPACE, Facts, Peers, RefusedError, columns, rows
from sequester.proof.check_paths import Paths
from sequester.proof.check_plugin import unenforced
from sequester.proof.check_pods import Pods


def check_packets(facts: Facts, certificate: Certificate) -> int:
    """The number of packets that were judged. Raises RefusedError, naming the piece, if one is not closed."""
    subjects = [question.subject for question in certificate.questions]
    every = list(_wanted(facts))
    wanted = dict(every)  # keys of the facts hold colons, so a subject is looked up, never taken apart
    if set(subjects) != wanted.keys() or len(subjects) != len(wanted) or len(every) != len(wanted):
        raise RefusedError(f"the questions are not those of the facts: {sorted(wanted.keys() ^ set(subjects))}")
    judge, judged = Judge(facts), 0
    for question in certificate.questions:
        for axis in facts["axes"]:
            _covered(question, axis)
        judged += sum(judge.closed(question.subject, piece) for piece in question.pieces)
    judge.guarded()
    judge.enforced()
    return judged


def _wanted(facts: Facts) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each subject, with its place (none for pods) and its subnet or namespace."""
    for key, place in facts["places"].items():
        if place["role"]:
            for subnet in place["subnets"]:
                if subnet in facts["subnets"]:
                    yield f"out:{key}:{subnet}", (key, subnet)
                    yield f"in:{key}:{subnet}", (key, subnet)
    for namespace in facts["namespaces"]:
        yield f"pods:{namespace}", ("", namespace)


def _covered(question: Question, axis: str) -> None:
    """The pieces tile addresses × services: slab after slab of addresses, and in each slab range after range."""
    slabs: dict[tuple[int, int], list[Piece]] = {}
    for piece in question.pieces:
        if piece.axis == axis:
            slabs.setdefault((piece.low, piece.end), []).append(piece)
    at = 0
    for (low, stop), those in sorted(slabs.items()):
        if low != at or stop <= low:
            raise RefusedError(f"{question.subject}: addresses from {at} on axis {axis} are not covered")
        service = 0
        for piece in sorted(those, key=lambda p: p.first):
            if piece.first != service or piece.last <= piece.first:
                break
            service = piece.last
        if service != SPACE:
            raise RefusedError(f"{question.subject}: services from {service} are not covered at {low} on axis {axis}")
        at = stop
    if at != ENDS.get(axis, 1):
        raise RefusedError(f"{question.subject}: addresses from {at} on axis {axis} are not covered")


class Judge:
    """Judges pieces, one by one, on one set of facts."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._peers = Peers(facts)
        self._paths = Paths(facts, self._peers)
        self._subjects = dict(_wanted(facts))
        self._pods = Pods(facts, self._peers, self._paths)

    def closed(self, subject: str, piece: Piece) -> int:
        """The number of packets that were judged. Raises RefusedError if the piece's stage does not close one."""
        place, subnet = self._subjects[subject]
        kind = subject.partition(":")[0]
        if kind == "pods":
            return self._pods.closed(subnet, piece)
        if piece.stage == "group":
            return self._by_group(subject, place, piece, inward=kind == "in")
        if piece.stage == "path":
            return self._by_path(subject, place, subnet, piece, inward=kind == "in")
        raise RefusedError(f"{subject}: a node's packet cannot be closed by {piece.stage!r}")

    def guarded(self) -> None:
        """Raises RefusedError if a sandbox's pods reach the node that they run on."""
        if "sandbox" not in self._facts["namespaces"].values():
            return
        places = list(self._facts["places"].values())
        # Where no node is known to be for them, sandboxes run on any node there is.
        own = [p for p in places if p["role"] == "sandbox" and p["kind"] in HOSTS]
        nodes = own or [p for p in places if p["kind"] in NODE_GROUPS]
        if not all(place["guarded"] for place in nodes):
            raise RefusedError("a sandbox node does not drop what its pods send to it")

    def enforced(self) -> None:
        """Raises RefusedError if nothing enforces the policies that a sandbox's pods are under."""
        plugin = self._facts["plugin"]
        why = next(unenforced(plugin["addons"], plugin["manifests"]), "")
        if why and "sandbox" in self._facts["namespaces"].values():
            raise RefusedError(why)

    def _by_group(self, subject: str, place: str, piece: Piece, *, inward: bool) -> int:
        groups = self._peers.groups(self._facts["places"][place], piece.axis, egress=not inward)
        judged = 0
        for address in rows(piece, *(group.edges for group in groups)):
            for service in columns(piece, (services for group in groups for services in group.at(address))):
                judged += 1
                if any(group.lets(address, service) for group in groups):
                    raise RefusedError(f"{subject}: a security group rule lets service {service} to {address} pass")
        return judged

    def _by_path(self, subject: str, place: str, subnet: str, piece: Piece, *, inward: bool) -> int:
        paths, axis = self._paths, piece.axis
        addresses, services = paths.edges(subnet, axis)
        public = self._peers.public(self._facts["places"][place], subnet)
        # Somebody outside chooses the port that replies go to.
        ports = sorted({0, 0xFFFF, *(edge - back & 0xFFFF for edge in services for back in (0, 1))})
        judged = 0
        for address in rows(piece, addresses):
            for service in columns(piece, [services]):
                judged += 1
                if inward and not paths.acl(subnet, axis, address, service, egress=False):
                    continue
                sent = [service >> 16 << 16 | port for port in ports] if inward else [service]
                if any(paths.leaves(subnet, axis, address, one, public=public, inward=inward) for one in sent):
                    raise RefusedError(f"{subject}: service {service} to {address} on axis {axis} leaves")
        return judged
