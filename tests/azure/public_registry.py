"""``mcr.microsoft.com``, as far as the digests of public images are asked for."""

from __future__ import annotations

import hashlib

from starlette import applications, requests, responses, routing

HOST = "mcr.microsoft.com"


class PublicRegistry:
    """A registry that anybody may pull from.

    Attributes:
        digests: the digest of each image, by repository and tag.
    """

    def __init__(self) -> None:
        self.digests: dict[tuple[str, str], str] = {}

    def push(self, repository: str, tag: str, content: str) -> str:
        """Has another image under a tag; returns its digest."""
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        self.digests[repository, tag] = digest
        return digest

    def build_app(self) -> applications.Starlette:
        """The app for ``mcr.microsoft.com``."""

        async def serve(request: requests.Request) -> responses.Response:
            found = self.digests.get((request.path_params["repository"], request.path_params["tag"]))
            if found is None:
                return responses.JSONResponse({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)
            kind = "application/vnd.oci.image.manifest.v1+json"
            return responses.Response(headers={"Docker-Content-Digest": found, "Content-Type": kind})

        path = "/v2/{repository:path}/manifests/{tag}"
        return applications.Starlette(routes=[routing.Route(path, serve, methods=["HEAD"])])
