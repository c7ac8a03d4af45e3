//go:build tools

// Package tools names the commands to build, so that `go mod tidy` keeps what they need.
package tools

import (
	_ "github.com/docker/buildx/cmd/buildx"
	_ "github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"
)
