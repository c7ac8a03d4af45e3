// Package java stands in for a code generator of which the plugin uses this one struct.
package java

type PackageInfo struct {
	BuildFiles                      string
	GradleNexusPublishPluginVersion string
	Dependencies                    map[string]string
}
