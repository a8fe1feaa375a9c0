"""Costs are counted on what is declared, and what has no price says so."""

from sequester.cost import PRICES, estimate

ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
NODES = "aws:eks/nodeGroup:NodeGroup"


def test_an_interface_endpoint_costs_by_zone_and_a_gateway_nothing() -> None:
    (line,) = estimate(
        [
            (ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": ["a", "b", "c"]}),
            (ENDPOINT, {"vpcEndpointType": "Gateway", "routeTableIds": ["a"]}),
        ]
    )
    assert line.count == 3
    assert round(line.monthly, 2) == 21.90


def test_nodes_are_counted_as_desired() -> None:
    (line,) = estimate([(NODES, {"instanceTypes": ["m7i.large"], "scalingConfig": {"desiredSize": 2.0}})])
    assert line.price == PRICES["m7i.large"]
    assert line.count == 2


def test_an_unknown_instance_type_is_listed_and_not_guessed() -> None:
    (line,) = estimate([(NODES, {"instanceTypes": ["x9z.huge"], "scalingConfig": {"desiredSize": 1}})])
    assert line.monthly == 0
    assert "x9z.huge: not in the table" in line.price.item
