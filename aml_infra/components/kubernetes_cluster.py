"""``KubernetesCluster``: the compute target that runs jobs in a namespace of a Kubernetes cluster."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments, naming
from aml_infra.components import azure_place, device_plugin, kubeconfig, kubernetes_objects
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.kubeconfig import Access
from aml_infra.components.kubernetes_cluster_args import KubernetesClusterArgs
from aml_infra.components.kubernetes_objects import Place
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.image_access import JobImage
    from aml_infra.components.training_image import TrainingImage


class KubernetesCluster(pulumi.ComponentResource):
    """A namespace of a Kubernetes cluster as a compute target: each run is a Job in it.

    Its pods may nothing at the API server, and hold to the standard for restricted pods. What they write is in a
    volume, which outlives them; with the namespace it is deleted.

    Raises:
        InvalidInput: the arguments cannot be used; every problem is told at once.
    """

    namespace: pulumi.Output[str]
    """Where runs are; whoever uses it waits until it is there."""

    outputs_claim: pulumi.Output[str]
    """Name of the PersistentVolumeClaim with what runs have written; likewise."""

    backend = "kubernetes"

    def __init__(
        self, name: str, args: KubernetesClusterArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._args = args = KubernetesClusterArgs() if args is None else args
        arguments.require(name, args, KubernetesClusterArgs)
        arguments.raise_for(problem.under(name) for problem in args.find_problems(Machine()))
        super().__init__("aml-infra:index:KubernetesCluster", name, None, opts)
        if isinstance(args.cluster, AksClusterArgs):
            fix = "make an AksCluster of it, and pass that"
            arguments.raise_for([Problem(f"{name}.cluster", f"is an AksClusterArgs; {fix}")])
            raise TypeError("args stand for a cluster")
        self._cluster = args.cluster
        self._access = Access() if args.cluster else kubeconfig.find_access(args.kubeconfig, args.context)
        slug = naming.slugify(name)
        place = Place(
            parent=self,
            provider=kubernetes_objects.make_provider(self, name, self._access, self._cluster),
            name=name,
            slug=slug,
            namespace=args.namespace or slug,
        )
        self._place = place
        self.namespace = pulumi.Output.from_input(place.namespace)
        if args.create_namespace:
            made = kubernetes_objects.make_namespace(place, "namespace")
            self.namespace = azure_place.after(made, self.namespace)
            place = dataclasses.replace(place, after=(made,))
            kubernetes_objects.make_quota(place, args)
            kubernetes_objects.make_limits(place, args)
        kubernetes_objects.make_service_account(place)
        kubernetes_objects.make_network_policy(place, args)
        self._pull_secret = self._make_pull_secret(place)
        self._claim, self.outputs_claim = self._make_claim(place)
        if args.has_device_plugin:
            self._make_device_plugin()
        self.register_outputs({"namespace": self.namespace, "outputsClaim": self.outputs_claim})

    @property
    def backend_options(self) -> Mapping[str, pulumi.Input[str]]:
        """Where the backend finds the namespace, and what it gives to pods there."""
        args = self._args
        # Names, and not outputs: what waits for the objects are the runs, by ``dependencies``, and a preview knows all.
        options: dict[str, pulumi.Input[str] | None] = {
            # What was found where kubectl looks is found there again, by whatever machine.
            "kubeconfig": self._access.path if args.kubeconfig is not None else None,
            "context": self._access.context,
            "aks_id": None if self._cluster is None else self._cluster.id,
            "namespace": self._place.namespace,
            "claim": self._claim,
            "service_account": self._place.slug,
            "pull_secret": self._pull_secret,
            "repository": None
            if args.registry is None
            else pulumi.Output.concat(args.registry.server, f"/{self._place.slug}-source"),
            "queue": args.queue,
            "node_selector": json.dumps(dict(args.all_node_labels), sort_keys=True) if args.all_node_labels else None,
            "tolerations": json.dumps([each.describe() for each in args.all_tolerations], sort_keys=True)
            if args.all_tolerations
            else None,
            "autoscaling": "true" if args.has_autoscaling else None,
            "priority_class": args.priority_class,
            "shared_memory_gb": f"{args.shared_memory_gb:.10g}",
            "pending_minutes": f"{args.pending_minutes:.10g}",
            "runtime": args.runtime,
        }
        return {name: value for name, value in options.items() if value is not None}

    @property
    def dependencies(self) -> Sequence[pulumi.Resource]:
        """All objects of the namespace."""
        return (self,)

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What Kubernetes does not do of what a job asks for, and what is above a quota."""
        return self._args.find_demand_problems(demand, machine)

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why no node can pull a job's image."""
        return self._args.find_image_problems(image)

    def find_reference(self, image: TrainingImage | CuratedImage) -> pulumi.Output[str]:
        """The image's own reference."""
        return image.ref

    def _make_pull_secret(self, place: Place) -> str | None:
        registry = self._args.registry
        if registry is None:
            return None
        if isinstance(registry, ExternalRegistry) and registry.is_on_this_machine:
            text = "is on this machine, and nodes elsewhere cannot pull from it"
            pulumi.log.warn(f"{place.name}.registry: {text}", self)
        # A token of Azure's ends after hours, when pods may still be to come: there, nodes pull as themselves.
        return kubernetes_objects.make_pull_secret(place, registry) if registry.has_lasting_password else None

    def _make_claim(self, place: Place) -> tuple[str, pulumi.Output[str]]:
        """Its name, and the same for whoever waits for it."""
        if self._args.outputs_claim is not None:
            return self._args.outputs_claim, pulumi.Output.from_input(self._args.outputs_claim)
        made = kubernetes_objects.make_claim(place, self._args)
        name = place.build_name("outputs")
        return name, azure_place.after(made, pulumi.Output.from_input(name))

    def _make_device_plugin(self) -> None:
        place = dataclasses.replace(self._place, namespace=f"{self._place.slug}-device-plugin")
        made = kubernetes_objects.make_namespace(place, "device-plugin-namespace", security="privileged")
        device_plugin.make_device_plugin(dataclasses.replace(place, after=(made,)), self._args)
