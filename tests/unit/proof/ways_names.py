"""Ways out by names: resolvers, the DNS firewall, CoreDNS (E2)."""

from typing import Any

from ways_edits import (
    Change,
    Rows,
    allow,
    allowing,
    corefile,
    firewall,
    firewall_rule,
    policy,
    ports,
    second_rule_group,
)


def dns(name: str = "coredns", **container: Any) -> Change:
    """CoreDNS as a Deployment, as EKS has it, but for what is given."""
    mounted = {"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}
    usual = {
        "name": "coredns",
        "image": "coredns",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [mounted],
    }
    pod = {
        "containers": [{**usual, **container}],
        "volumes": [{"name": "config-volume", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": pod}
    meta = {"name": name, "namespace": "kube-system"}
    return lambda w: w.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": template}}
    )


def asked(selector: dict[str, str] | None, name: str = "kube-dns", **spec: Any) -> Change:
    """The service at which pods ask for names."""
    meta = {"name": name, "namespace": "kube-system"}
    return lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": selector, "clusterIP": "172.20.0.10", **spec},
        }
    )


def told(name: str, **data: str) -> Change:
    meta = {"name": name, "namespace": "kube-system"}
    return lambda w: w.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


def cached(target: str) -> str:
    """A node's cache, by NodeLocal DNSCache's own Corefile."""
    return f"cluster.local:53 {{\n    errors\n    cache 30\n    forward . __PILLAR__CLUSTER__DNS__ {{\n        force_tcp\n    }}\n}}\n.:53 {{\n    cache 30\n    forward . {target}\n}}\n"


NAMES: dict[str, Change] = {
    "fail open": firewall(firewallFailOpen="ENABLED"),
    "every name allowed": allowing("*."),
    "a foreign name": allowing("collector.example.com"),
    "a foreign suffix": allowing("*.example.com"),
    "all of AWS": allowing("*.amazonaws.com"),
    "no block": lambda w: w.without("ResolverFirewallRule", "sequester-block"),
    "the block counts only": lambda w: w.set("ResolverFirewallRule", "sequester-block", action="ALERT"),
    "the block for one type": lambda w: w.set("ResolverFirewallRule", "sequester-block", qType="TXT"),
    "an earlier allow": lambda w: w.with_(
        "route53/resolverFirewallDomainList:ResolverFirewallDomainList", "x", "fdl-x", domains=["*"]
    ).with_(
        "route53/resolverFirewallRule:ResolverFirewallRule",
        "x",
        action="ALLOW",
        priority=1,
        firewallDomainListId="fdl-x",
        firewallRuleGroupId=w.id("ResolverFirewallRuleGroup", "sequester-dns"),
    ),
    "on another VPC": lambda w: w.set("ResolverFirewallRuleGroupAssociation", "sequester-dns", vpcId="vpc-other"),
    "another resolver": lambda w: w.set("VpcDhcpOptions", "sequester", domainNameServers=["198.51.100.53"]),
    "a second resolver": lambda w: w.set(
        "VpcDhcpOptions", "sequester", domainNameServers=["AmazonProvidedDNS", "198.51.100.53"]
    ),
    "an outbound endpoint": lambda w: w.with_(
        "route53/resolverEndpoint:ResolverEndpoint",
        "out",
        direction="OUTBOUND",
        ipAddresses=[{"subnetId": w.subnet("system").id}],
    ),
    "a forward": lambda w: w.with_(
        "route53/resolverRule:ResolverRule", "f", "rr-1", domainName=".", ruleType="FORWARD"
    ).with_("route53/resolverRuleAssociation:ResolverRuleAssociation", "f", resolverRuleId="rr-1", vpcId=w.vpc.id),
    "CoreDNS forwards all": corefile(lambda c: c + ".:53 {\n    forward . /etc/resolv.conf\n}\n"),
    "CoreDNS forwards elsewhere": corefile(lambda c: c.replace("forward . 10.42.0.2", "forward . 198.51.100.53")),
    "CoreDNS by default": lambda w: w.set("Addon", "sequester-coredns", configurationValues="{}"),
    "a pod may ask": allow({"to": [{"namespaceSelector": {}}], "ports": ports(("UDP", 53))}),
}

FURTHER: Rows = {
    "forward sub domain": ("E2", "blueprint", lambda w: w.with_("route53/resolverRule:ResolverRule", "f", "rr-1", domainName="x.example.com", ruleType="FORWARD").with_("route53/resolverRuleAssociation:ResolverRuleAssociation", "f", resolverRuleId="rr-1", vpcId=w.vpc.id)),
    "delegate rule": ("E2", "blueprint", lambda w: w.with_("route53/resolverRule:ResolverRule", "f", "rr-1", domainName="x.example.com", ruleType="DELEGATE").with_("route53/resolverRuleAssociation:ResolverRuleAssociation", "f", resolverRuleId="rr-1", vpcId=w.vpc.id)),
    "shared rule not in plan": ("E2", "blueprint", lambda w: w.with_("route53/resolverRuleAssociation:ResolverRuleAssociation", "f", resolverRuleId="rslvr-rr-x", vpcId=w.vpc.id)),
    "group before": ("E2", "blueprint", lambda w: second_rule_group(firewall_rule("x", "ALLOW", 1, ["collector.example."], group="rg-2")(w), 1)),
    "ALERT before": ("E2", "blueprint", firewall_rule("x", "ALERT", 1, ["collector.example."])),
    "block of another qtype": ("E2", "blueprint", lambda w: w.set("ResolverFirewallRule", "sequester-block", qType="A")),
    "block list narrowed": ("E2", "blueprint", lambda w: w.set("ResolverFirewallDomainList", "sequester-every", domains=["*.com."])),
    "block list emptied": ("E2", "blueprint", lambda w: w.set("ResolverFirewallDomainList", "sequester-every", domains=[])),
    "block DNS threat protection": ("E2", "blueprint", lambda w: w.set("ResolverFirewallRule", "sequester-block", dnsThreatProtection="DGA")),
    "priority raised": ("E2", "blueprint", lambda w: firewall_rule("x", "ALLOW", 9000, ["*."])(w.set("ResolverFirewallRule", "sequester-block", priority=9900))),
    "firewall association gone": ("E2", "blueprint", lambda w: w.without("ResolverFirewallRuleGroupAssociation", "sequester-dns")),
    "fail open lower-case": ("E2", "blueprint", firewall(firewallFailOpen="enabled")),
    "dhcp options unknown": ("E2", "blueprint", lambda w: w.set("VpcDhcpOptionsAssociation", "sequester", dhcpOptionsId="dopt-other")),
    "CoreDNS rewrite": ("E2", "blueprint", corefile(lambda c: c.replace("forward . 10.42.0.2", "forward . tls://198.51.100.53"))),
    "CoreDNS upstream by route": ("E2", "blueprint", corefile(lambda c: c+"example.com:53 {\n    forward . 10.42.0.2\n}\n")),
    "CoreDNS grpc plugin": ("E2", "blueprint", corefile(lambda c: c+"x.example.com:53 {\n    grpc . 198.51.100.53:443\n}\n")),
    "CoreDNS secondary": ("E2", "blueprint", corefile(lambda c: c+"example.org {\n    secondary {\n        transfer from 198.51.100.1\n    }\n}\n")),
    "CoreDNS etcd": ("E2", "blueprint", corefile(lambda c: c+"example.org {\n    etcd {\n endpoint http://198.51.100.1:2379\n    }\n}\n")),
    "CoreDNS route53": ("E2", "blueprint", corefile(lambda c: c+"example.org {\n    route53 example.org.:Z1\n}\n")),
    "CoreDNS no zone block": ("E2", "blueprint", corefile(lambda c: c+". {\n  forward . 10.42.0.2 {\n force_tcp\n }\n}\n")),
    "CoreDNS wide com": ("E2", "blueprint", corefile(lambda c: c+"com:53 {\n    forward . 10.42.0.2\n}\n")),
    "CoreDNS configmap": ("E2", "blueprint", lambda w: w.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": ".:53 {\n forward . 198.51.100.53\n}\n"}})),
    "a node's cache asks outside": ("E2", "blueprint", told("node-local-dns", Corefile=cached("198.51.100.53"))),
    "a node's cache asks its node's resolver": ("E2", "blueprint", told("node-local-dns", Corefile=cached("__PILLAR__UPSTREAM__SERVERS__"))),
    "kube-dns hands a zone to others": ("E2", "blueprint", told("kube-dns", stubDomains='{"example.com": ["198.51.100.53"]}')),
    "allow list: lambda url": ("E2", "blueprint", allowing("*.lambda-url.us-east-1.on.aws")),
    "allow list upper-case": ("E2", "blueprint", allowing("COLLECTOR.example.com")),
}  # fmt: skip

UNDECIDED: Rows = {
    "CoreDNS with another file": ("E2", "blueprint", dns(args=["-conf", "/etc/other/Corefile"])),
    "CoreDNS without arguments": ("E2", "blueprint", dns(args=[])),
    "CoreDNS with another mount": ("E2", "blueprint", dns(volumeMounts=[{"name": "elsewhere", "mountPath": "/etc/coredns"}])),
    "somebody else in CoreDNS's place": ("E2", "blueprint", dns("resolver", args=["--upstream=198.51.100.53"])),
    "names are asked of others' pods": ("E2", "blueprint", asked({"app": "resolver"})),
    "names are asked of nobody known": ("E2", "blueprint", asked(None)),
    "names are asked by another name": ("E2", "blueprint", asked({"k8s-app": "kube-dns"}, type="ExternalName", externalName="dns.example.com")),
    "a node's cache": ("E2", "blueprint", lambda w: w.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "node-local-dns", "namespace": "kube-system"}, "spec": {"template": {"spec": {"containers": [{"name": "node-cache"}]}}}})),
    "private zone": ("E2", "blueprint", lambda w: w.with_("route53/zone:Zone", "z", name="example.com", vpcs=[{"vpcId": w.vpc.id}])),
    "zone association": ("E2", "blueprint", lambda w: w.with_("route53/zoneAssociation:ZoneAssociation", "z", zoneId="z", vpcId=w.vpc.id)),
    "profile association": ("E2", "blueprint", lambda w: w.with_("route53/profilesAssociation:ProfilesAssociation", "f", resourceId=w.vpc.id)),
    "group not in the plan before": ("E2", "blueprint", lambda w: w.with_("route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation", "g2", vpcId=w.vpc.id, priority=1, firewallRuleGroupId="rslvr-frg-shared", name="g2")),
    "managed list allowed": ("E2", "blueprint", lambda w: w.with_("route53/resolverFirewallRule:ResolverFirewallRule", "x", action="ALLOW", priority=1, firewallDomainListId="rslvr-fdl-managed", firewallRuleGroupId=w.id("ResolverFirewallRuleGroup", "sequester-dns"))),
    "fail open use local": ("E2", "blueprint", firewall(firewallFailOpen="USE_LOCAL_RESOURCE_SETTING")),
    "default dhcp options": ("E2", "blueprint", lambda w: w.with_("ec2/defaultVpcDhcpOptions:DefaultVpcDhcpOptions", "d")),
    "CoreDNS import": ("E2", "blueprint", corefile(lambda c: c+"import /etc/coredns/custom/*.server\n")),
    "CoreDNS forward block on one line": ("E2", "blueprint", corefile(lambda c: c+". { forward . 10.42.0.2 }\n")),
    "CoreDNS addon gone": ("E2", "blueprint", lambda w: w.without("Addon", "sequester-coredns")),
}  # fmt: skip

HARMLESS: Rows = {
    "names are asked of CoreDNS": ("E2", "blueprint", asked({"k8s-app": "kube-dns"})),
    "a node's cache asks CoreDNS": ("E2", "blueprint", told("node-local-dns", Corefile=cached("__PILLAR__CLUSTER__DNS__"))),
    "a node's cache asks CoreDNS by its address": ("E2", "blueprint", lambda w: told("node-local-dns", Corefile=cached("172.20.0.10"))(asked({"k8s-app": "kube-dns"})(w))),
    "CoreDNS as the add-on runs it": ("E2", "blueprint", dns()),
    "redirection trusted": ("E2", "blueprint", lambda w: w.set("ResolverFirewallRule", "sequester-allow", firewallDomainRedirectionAction="TRUST_REDIRECTION_DOMAIN")),
    "block override cname": ("E2", "blueprint", lambda w: w.set("ResolverFirewallRule", "sequester-block", blockResponse="OVERRIDE", blockOverrideDomain="x.collector.example", blockOverrideDnsType="CNAME", blockOverrideTtl=0)),
    "lower-case block": ("E2", "blueprint", lambda w: w.set("ResolverFirewallRule", "sequester-block", action="block")),
    "ntp/netbios": ("E2", "blueprint", lambda w: w.set("VpcDhcpOptions", "sequester", netbiosNameServers=["198.51.100.5"])),
    "vpc resolver literal": ("E2", "blueprint", lambda w: w.set("VpcDhcpOptions", "sequester", domainNameServers=["169.254.169.253"])),
    "CoreDNS dnstap/hosts fine": ("E2", "blueprint", corefile(lambda c: c.replace("errors", "errors\n    loadbalance", 1) if "loadbalance" not in c else c)),
    "agent namespace asks outside": ("E2", "blueprint", lambda w: w.apply(policy("x", namespace="research-sandbox", egress=[{"to": [{"ipBlock": {"cidr": "10.42.0.2/32"}}], "ports": ports(("TCP", 853))}]))),
    "allow list: *.s3 of AWS": ("E2", "blueprint", allowing("*.s3.us-east-1.amazonaws.com")),
    "allow list: *.execute-api": ("E2", "blueprint", allowing("*.execute-api.us-east-1.amazonaws.com")),
    "allow list: *.us-east-1.amazonaws.com": ("E2", "blueprint", allowing("*.us-east-1.amazonaws.com")),
    "allow list: ELB": ("E2", "blueprint", allowing("*.elb.amazonaws.com")),
    "allow list: ec2 public names": ("E2", "blueprint", allowing("*.compute-1.amazonaws.com")),
}  # fmt: skip
