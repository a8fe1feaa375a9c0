"""Which requirement of which framework a control really meets, and how far. What only processes can meet is absent."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Framework:
    """A catalogue of requirements: where it is published, and against which text ids and titles were read, and when."""

    id: str
    name: str
    source: str
    form: str
    """What an id looks like, as a regular expression."""
    read: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """`controls` are ids of `evidence.controls()`; `extent` says what of the requirement they meet."""

    framework: str
    id: str
    title: str
    controls: tuple[str, ...]
    extent: str


FRAMEWORKS: Final = (
    Framework(
        "wa",
        "AWS Well-Architected Framework, Security pillar",
        "https://docs.aws.amazon.com/wellarchitected/latest/security-pillar/welcome.html",
        r"SEC\d{2}-BP\d{2}",
        "the pillar's pages, 2026-11-26",
    ),
    Framework(
        "800-53",
        "NIST SP 800-53 Rev. 5",
        "https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final",
        r"[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?",
        "NIST's OSCAL content (usnistgov/oscal-content), 2026-11-26",
    ),
    Framework(
        "csf",
        "NIST Cybersecurity Framework 2.0",
        "https://nvlpubs.nist.gov/nistpubs/CSWP/NIST.CSWP.29.pdf",
        r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d{2}",
        "NIST's OSCAL content (usnistgov/oscal-content), 2026-11-26",
    ),
    Framework(
        "cis",
        "CIS Controls v8.1",
        "https://www.cisecurity.org/controls/v8-1",
        r"([1-9]|1[0-8])\.\d{1,2}",
        "copies of the safeguards' text, 2026-11-26",
    ),
    Framework(
        "eks",
        "CIS Amazon EKS Benchmark v1.8.0",
        "https://www.cisecurity.org/benchmark/kubernetes",
        r"[1-5]\.\d\.\d{1,2}",
        "kube-bench's cfg/eks-1.8.0 (aquasecurity/kube-bench), 2026-11-26",
    ),
)

_NO_WAY_OUT: Final = (
    "no-internet-gateway", "no-egress-only-gateway", "no-nat", "no-vpn", "no-transit", "no-peering",
    "no-public-address", "local-routes",
)  # fmt: skip
_ONLY_DECLARED: Final = ("groups-exact", "acl-exact", "acl-no-ipv6", "pods-begin-nothing", "policy-strict")
_LEAST: Final = ("node-rights", "agent-rights", "door-rights", "identities")
_ENCRYPTED: Final = ("logs-encrypted", "secrets-encrypted", "store-encrypted", "machines-shut")
_ON_RECORD: Final = ("queries-logged", "flows-logged", "control-plane-logged", "door-audit")


def _meets(framework: str, id_: str, title: str, controls: tuple[str, ...], extent: str) -> Requirement:
    return Requirement(framework, id_, title, controls, extent)


REQUIREMENTS: Final = (
    _meets("wa", "SEC05-BP01", "Create network layers",
           ("pools-apart", "own-route-table", "default-table-empty"), "four tiers of subnets; none has a way out"),
    _meets("wa", "SEC05-BP02", "Control traffic flow within your network layers",
           _ONLY_DECLARED, "every permitted connection is listed; the rest is denied twice"),
    _meets("wa", "SEC03-BP02", "Grant least privilege access",
           (*_LEAST, "endpoint-account"),
           "roles of nodes, agents and doors, and endpoint policies; not the people who deploy"),
    _meets("wa", "SEC04-BP01", "Configure service and application logging", _ON_RECORD, "the services of this stack"),
    _meets("wa", "SEC06-BP03", "Reduce manual management and interactive access",
           ("machines-shut", "admission-side-door"), "no key, no shell and no exec on sandbox nodes and pods"),
    _meets("wa", "SEC08-BP02", "Enforce encryption at rest",
           _ENCRYPTED, "logs, Kubernetes secrets, what doors keep, nodes' disks"),
    _meets("800-53", "SC-7", "Boundary Protection", _NO_WAY_OUT, "one managed interface: the door"),
    _meets("800-53", "SC-7(5)", "Boundary Protection: Deny by Default — Allow by Exception",
           (*_ONLY_DECLARED, "door-allowlist", "names-listed"), "packets, names and fetches"),
    _meets("800-53", "SC-7(8)", "Boundary Protection: Route Traffic to Authenticated Proxy Servers",
           ("endpoint-doors", "agent-rights"), "agents reach external hosts by the door only, with their role"),
    _meets("800-53", "SC-7(10)", "Boundary Protection: Prevent Exfiltration",
           ("door-inspection", "door-budget", "endpoint-account"),
           "technical part; a drill says which techniques were tried and when"),
    _meets("800-53", "AC-4", "Information Flow Enforcement",
           ("groups-exact", "acl-exact", "endpoint-account", "door-allowlist"), "between tiers, tenants and outside"),
    _meets("800-53", "AC-6", "Least Privilege", _LEAST, "roles of nodes, agents and doors"),
    _meets("800-53", "AU-3", "Content of Audit Records",
           ("flow-fields", "door-audit"), "flow logs and the door's audit"),
    _meets("800-53", "AU-9(3)", "Protection of Audit Information: Cryptographic Protection",
           ("door-audit", "head-signed", "logs-encrypted"),
           "the door's audit is a signed hash chain; logs are encrypted"),
    _meets("800-53", "AU-11", "Audit Record Retention", ("logs-retained", "records-locked"),
           "as long as the setting says"),
    _meets("800-53", "SC-28(1)", "Protection of Information at Rest: Cryptographic Protection",
           _ENCRYPTED, "logs, Kubernetes secrets, what doors keep, nodes' disks"),
    _meets("800-53", "SC-39", "Process Isolation",
           ("seccomp-filter", "namespaces", "landlock", "supervisor-memory"), "each run of untrusted code"),
    _meets("800-53", "SI-4(4)", "System Monitoring: Inbound and Outbound Communications Traffic",
           ("flows-logged", "tripwire-packet-left", "tripwire-packet-rejected"),
           "monitored without a break, and alarmed"),
    _meets("csf", "PR.IR-01", "Networks and environments are protected from unauthorized logical access and usage",
           (*_NO_WAY_OUT, *_ONLY_DECLARED), "the sealed network"),
    _meets("csf", "PR.AA-05",
           "Access permissions, entitlements, and authorizations are defined in a policy, managed, enforced, and "
           "reviewed, and incorporate the principles of least privilege and separation of duties",
           (*_LEAST, "admins-named"),
           "least privilege of the permissions that the stack defines; not their review"),
    _meets("csf", "PR.DS-01", "The confidentiality, integrity, and availability of data-at-rest are protected",
           _ENCRYPTED, "confidentiality of logs, Kubernetes secrets, what doors keep, nodes' disks"),
    _meets("csf", "PR.PS-04", "Log records are generated and made available for continuous monitoring",
           _ON_RECORD, "the services of this stack"),
    _meets("csf", "DE.CM-01", "Networks and network services are monitored to find potentially adverse events",
           ("flows-logged", "queries-logged", "tripwire-packet-left", "tripwire-name-blocked"), "this VPC"),
    _meets("csf", "RS.MI-01", "Incidents are contained", ("quarantine",), "what a tripwire saw, within its limit"),
    _meets("cis", "3.11", "Encrypt Sensitive Data at Rest", _ENCRYPTED,
           "logs, Kubernetes secrets, what doors keep, nodes' disks"),
    _meets("cis", "8.2", "Collect Audit Logs", _ON_RECORD, "the services of this stack"),
    _meets("cis", "8.6", "Collect DNS Query Audit Logs", ("queries-logged",), "the VPC's resolver"),
    _meets("cis", "8.10", "Retain Audit Logs", ("logs-retained",),
           "365 days by default; a setting of less than 90 does not meet it"),
    _meets("cis", "9.3", "Maintain and Enforce Network-Based URL Filters", ("door-allowlist",),
           "what leaves by the door"),
    _meets("cis", "13.4", "Perform Traffic Filtering Between Network Segments", ("groups-exact", "acl-exact"),
           "between all tiers"),
    _meets("cis", "13.6", "Collect Network Traffic Flow Logs", ("flows-logged", "flow-fields"), "this VPC"),
    _meets("cis", "13.10", "Perform Application Layer Filtering", ("door-parsing", "door-allowlist", "door-inspection"),
           "what leaves by the door"),
    _meets("eks", "2.1.1", "Enable audit Logs", ("control-plane-logged",), "all log types"),
    _meets("eks", "4.1.6", "Ensure that Service Account Tokens are only mounted where necessary",
           ("admission-no-token", "admission-no-tokens"), "sandboxes, which have none"),
    _meets("eks", "5.1.1",
           "Ensure Image Vulnerability Scanning using Amazon ECR image scanning or a third party provider",
           ("registry-fixed",), "on push"),
    _meets("eks", "5.3.1",
           "Ensure Kubernetes Secrets are encrypted using Customer Master Keys (CMKs) managed in AWS KMS",
           ("secrets-encrypted",), "all"),
    _meets("eks", "5.4.2", "Ensure clusters are created with Private Endpoint Enabled and Public Access Disabled",
           ("api-private",), "all"),
    _meets("eks", "5.4.3", "Ensure clusters are created with Private Nodes",
           ("machines-shut", "no-public-on-launch"), "all"),
    _meets("eks", "5.4.4", "Ensure Network Policy is Enabled and set as appropriate", ("policy-strict",),
           "on, in strict mode"),
)  # fmt: skip
