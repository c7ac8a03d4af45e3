"""The program of every stack: typed configuration -> components -> exports."""

import dataclasses

import pulumi
import settings

import aml_infra

config = settings.load()

image = aml_infra.TrainingImage("fastai", config.image)
compute = aml_infra.LocalDocker("docker", config.compute)
job = aml_infra.TrainingJob("train", dataclasses.replace(config.train, image=image, compute=compute))

pulumi.export("runId", job.run_id)
pulumi.export("status", job.status)
pulumi.export("attempt", job.attempt)
pulumi.export("metrics", job.metrics)
pulumi.export("portalUrl", job.portal_url)
pulumi.export("outputsPath", job.outputs_path)
pulumi.export("imageRef", image.ref)
pulumi.export("fingerprint", job.fingerprint)
