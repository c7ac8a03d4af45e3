"""Where the resources of an Azure component are made: what they have in common, and their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pulumi

from aml_infra import azure_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """What the children of one component share.

    Attributes:
        parent: the component.
        name: the component's name.
        subscription_id: id of the subscription.
        group_id: id of the resource group; whatever is made of it comes after the group.
        location: Azure region.
        tags: on all of them.
    """

    parent: pulumi.Resource
    name: str
    subscription_id: pulumi.Output[str]
    group_id: pulumi.Output[str]
    location: pulumi.Output[str]
    tags: Mapping[str, str]

    @property
    def group(self) -> pulumi.Output[str]:
        """The name of the resource group."""
        return self.group_id.apply(lambda known: known.rpartition("/")[2])

    def build_name(self, kind: str, part: str = "") -> pulumi.Output[str]:
        """The name in Azure of a child; see ``azure_names.build_name``."""
        return build_name(kind, self.subscription_id, self.name, part)

    def build_id(self, provider_type: str, name: pulumi.Input[str]) -> pulumi.Output[str]:
        """The id that a resource has in the group, such as one of ``Microsoft.KeyVault/vaults``."""
        return pulumi.Output.concat(self.group_id, "/providers/", provider_type, "/", name)


def build_name(kind: str, subscription_id: pulumi.Output[str], component: str, part: str = "") -> pulumi.Output[str]:
    """The name in Azure of a resource of this stack; known wherever the subscription is."""
    project, stack = pulumi.get_project(), pulumi.get_stack()

    def build(known: str) -> str:
        owner = azure_names.Owner(subscription_id=known, project=project, stack=stack, component=component)
        return azure_names.build_name(kind, owner, part)

    return subscription_id.apply(build)


def after(resource: pulumi.Resource, value: pulumi.Output[str]) -> pulumi.Output[str]:
    """``value``, for those who have to wait for ``resource``; preview knows it all the same."""
    # The URN is known at preview, and only once the resource is there at update.
    return pulumi.Output.all(value, resource.urn).apply(lambda known: str(known[0]))
