"""Who may call whom, as NetworkPolicies say it."""

from collections.abc import Iterable, Iterator
from typing import Literal

from loopline_k8s.manifests import Object

NAME = "app.kubernetes.io/name"
# Namespaces by the label that lets them in.
NAMESPACES = {
    "loopline.dev/edge": "edge",
    "loopline.dev/reads-figures": "figures",
    "kubernetes.io/metadata.name": "names",
}
Arrows = dict[str, set[tuple[str, int]]]


def arrows(policies: Iterable[Object], direction: Literal["egress", "ingress"]) -> Arrows:
    """Per pods (by name, `ours`, `everybody`): whom they may call and at which port, or who may call them."""
    found: Arrows = {}
    for policy in policies:
        labels = policy["spec"]["podSelector"].get("matchLabels", {})
        pods = labels.get(NAME, "ours" if labels else "everybody")
        for rule in policy["spec"].get(direction, ()):
            peers = list(_peers(rule.get("to" if direction == "egress" else "from")))
            found.setdefault(pods, set()).update((peer, port["port"]) for peer in peers for port in rule["ports"])
    return found


def _peers(peers: list[Object] | None) -> Iterator[str]:
    """An address outside the cluster is called `postgres`: nothing else is called there by services."""
    if peers is None:
        yield "postgres"
    for peer in peers or ():
        if "podSelector" in peer:
            yield peer["podSelector"]["matchLabels"].get(NAME, "ours")
        else:
            yield NAMESPACES[next(iter(peer["namespaceSelector"]["matchLabels"]))]
