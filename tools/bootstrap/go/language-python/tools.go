//go:build tools

// Package tools names the commands to build, so that `go mod tidy` keeps what they need.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
